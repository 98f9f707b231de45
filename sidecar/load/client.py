"""One connection of the load generator: it sends a request, reads the answer, and is free again.

Answers are read by the data plane's own strict codec, so an answer that a careful client would refuse counts
as an error here.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from mesh.http1.body import CHUNKED, UNTIL_CLOSE, EndlessBody, LengthBody
from mesh.http1.chunked import ChunkedBody
from mesh.http1.errors import Malformed
from mesh.http1.grammar import MAX_HEAD
from mesh.http1.response import read_response
from mesh.reasons import RESPONSE_MALFORMED

Body = LengthBody | ChunkedBody | EndlessBody


class Owner(Protocol):
    """Who is told how a connection fares."""

    def opened(self, connection: Connection) -> None:
        """It is ready for its first request."""

    def answered(self, connection: Connection, status: int, reusable: bool) -> None:
        """The answer is complete; unless `reusable`, the connection is closing."""

    def failed(self, connection: Connection, error: str) -> None:
        """It ended (``closed``, ``malformed``), with or without a request under way."""


class Connection(asyncio.Protocol):
    """`due` and `sent` are the moments, in the loop's seconds, of the request under way."""

    __slots__ = (
        "_body",
        "_head_only",
        "_owner",
        "_partial",
        "_reusable",
        "_status",
        "busy",
        "due",
        "sent",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, owner: Owner, head_only: bool = False) -> None:
        self._owner = owner
        self._head_only = head_only
        """Answers to HEAD have no body, whatever they announce."""
        self._partial = b""
        self._body: Body | None = None
        self._status = 0
        self._reusable = True
        """No answer so far has said that the connection ends with it."""
        self.busy = False
        self.due = self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is no subclass
        self._owner.opened(self)

    def send(self, request: bytes, due: float, now: float) -> None:
        """Send a whole request that was due at `due`; one that the other side closed just now fails as ``closed``."""
        self.busy, self.due, self.sent = True, due, now
        if not self.transport.is_closing():
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not self.busy:
            self._fail("malformed")
            return
        try:
            self._receive(data)
        except Malformed:
            self._fail("malformed")

    def _receive(self, data: bytes) -> None:
        while self._body is None:
            data = self._partial + data if self._partial else data
            end = data.find(b"\r\n\r\n") + 4
            if end == 3:
                if len(data) > MAX_HEAD:
                    raise Malformed(RESPONSE_MALFORMED)
                self._partial = data
                return
            self._partial = b""
            self._begin(data[:end])
            data = data[end:]
            if self._body is None and not data:
                return  # an interim answer; the final one follows
        self._body.feed(data)
        if self._body.complete:
            if self._body.rest:
                raise Malformed(RESPONSE_MALFORMED)
            self._finish()

    def _begin(self, head: bytes) -> None:
        response = read_response(head)
        if response.status < 200:
            return
        self._status, self._reusable = response.status, response.reusable
        self._body = _body(0 if self._head_only else response.length)

    def _finish(self) -> None:
        self.busy, self._body = False, None
        if not self._reusable:
            self.transport.close()
        self._owner.answered(self, self._status, self._reusable)

    def _fail(self, error: str) -> None:
        self.transport.abort()
        self._owner.failed(self, error)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.busy and exc is None and isinstance(self._body, EndlessBody):
            self._finish()
        elif self.busy or self._reusable:
            self._owner.failed(self, "closed")


def _body(length: int) -> Body:
    if length == CHUNKED:
        return ChunkedBody(RESPONSE_MALFORMED)
    return EndlessBody() if length == UNTIL_CLOSE else LengthBody(length)
