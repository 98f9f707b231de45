"""The answer to an httpGet probe, read by RFC 9112 as far as a probe needs it.

That is the status line, the few fields that frame the body, and at most 10 KiB of the body: it says nothing
to us but that it comes, so a chunked one is not decoded, only its end is recognised.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 10 * 1024
BODILESS = frozenset({204, 304})
LAST_CHUNK = b"0\r\n\r\n"

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?$")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class Response(NamedTuple):
    status: int
    location: str = ""
    fault: str = ""
    """What is wrong with the answer, for people; empty: nothing."""


class _Framing(NamedTuple):
    length: int | None
    """None: until the last chunk, or until the peer closes."""
    chunked: bool


class ResponseReader:
    """Dialogue: sends a request, gives the final response once its body has come (RFC 9112, section 6.3)."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = bytearray()
        self._response: Response | None = None
        self._framing = _Framing(None, chunked=False)
        self._body = 0
        self._tail = b""

    def opening(self) -> bytes:
        return self._request

    def received(self, data: bytes, reply: Callable[[bytes], None]) -> Response | None:
        """Take in `data`; nothing is ever replied."""
        if self._response is not None:
            return self._body_came(data)
        self._buffer += data
        while (end := _HEAD_END.search(self._buffer)) is not None:
            head = bytes(self._buffer[: end.start()])
            del self._buffer[: end.end()]
            response = self._read_head(head)
            if response.fault or response.status >= 200 or response.status == 101:
                self._response = response
                return response if response.fault else self._body_came(bytes(self._buffer))
        too_long = len(self._buffer) > HEAD_LIMIT
        return Response(0, fault=f"response head over {HEAD_LIMIT // 1024} KiB") if too_long else None

    def ended(self) -> Response:
        """The peer closed, which ends a body that is neither counted nor chunked."""
        if self._response is None:
            came = "in the middle of the response head" if self._buffer else "without a response"
            return Response(0, fault=f"connection closed {came}")
        if self._framing.length is None and not self._framing.chunked:
            return self._response
        return self._response._replace(fault=f"HTTP {self._response.status}, but its body was cut short")

    def _body_came(self, data: bytes) -> Response | None:
        self._body += len(data)
        self._tail = (self._tail + data[-len(LAST_CHUNK) :])[-len(LAST_CHUNK) :]
        length = BODY_LIMIT if self._framing.length is None else min(self._framing.length, BODY_LIMIT)
        if self._body >= length or (self._framing.chunked and self._tail == LAST_CHUNK):
            return self._response
        return None

    def _read_head(self, head: bytes) -> Response:
        status_line, *lines = head.replace(b"\r\n", b"\n").split(b"\n")
        matched = _STATUS_LINE.match(status_line)
        if matched is None:
            return Response(0, fault="not an HTTP/1 response")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        status = int(matched[1])
        length = fields.get(b"content-length")
        if length is not None and not (length.isdigit() and len(length) < 19):
            return Response(status, fault="invalid Content-Length")
        self._framing = _framing(status, length, fields.get(b"transfer-encoding", b""))
        return Response(status, location=fields.get(b"location", b"").decode("utf-8", "replace"))


def _framing(status: int, length: bytes | None, coding: bytes) -> _Framing:
    if status in BODILESS or status == 101:
        return _Framing(0, chunked=False)
    if coding:
        return _Framing(None, chunked=coding.lower().endswith(b"chunked"))
    return _Framing(None if length is None else int(length), chunked=False)
