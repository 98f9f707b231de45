"""Request heads of one connection, most of whose lines are those of the last one.

A client says the same on a connection again and again; what differs is the request line, and perhaps a cookie or a
date.  So fields that are those of the last request are not read again; and of fields that begin and end with the
lines that two requests had in common, only what is between is read.  What is accepted, and what it means, is what
`read_plain_request` says of the same bytes.
"""

from __future__ import annotations

import re
from itertools import takewhile
from operator import eq
from typing import Final

from mesh.http1.grammar import KEEP_ALIVE, KEEP_ALIVE_LENGTH
from mesh.http1.request import PLAIN_FIELDS, PLAIN_LINE, Plain, read_plain_request

LONGEST: Final = 2048
"""Bytes of fields that are remembered."""
MOST_LINES: Final = 64
"""Field lines of a request that is learned from: with those between, there are never more than `MAX_FIELDS`."""
LESSONS: Final = 8
"""Times that one client is learned from; what varies more is read in full."""

_NOTHING: Final = b"?"
"""No request has these fields, or begins with them."""

_request_line = re.compile(PLAIN_LINE).match
_fields = re.compile(PLAIN_FIELDS).fullmatch
_keep_alive = re.compile(rb"(?<![^\n])" + KEEP_ALIVE).search


class RequestReader:
    """Reads what one client sends."""

    __slots__ = ("_after", "_before", "_cut", "_host", "_last", "_lessons")

    def __init__(self) -> None:
        self._last = _NOTHING
        """Field lines and empty line of the last plain request without a body."""
        self._host = b""
        """In `_last`."""
        self._cut = 0
        """Where ``Connection: keep-alive`` is in `_last`, counted from the end; 0: nowhere."""
        self._before = _NOTHING
        """Lines that fields begin with, if they are like the last ones."""
        self._after = b""
        """Lines that they end with, and the empty line."""
        self._lessons = LESSONS

    def read(self, data: bytes) -> Plain | None:
        """The request whose whole head is at the beginning of `data`, if it is a plain one."""
        line = _request_line(data)
        if line is None:
            return None
        fields = data[line.end() :]
        if fields != self._last and not self._resemble(fields):
            return self._read_anew(data, fields)
        end = len(data)
        if not self._cut:
            return self._host, data[:-2], end, 0
        cut = end + self._cut
        return self._host, data[:cut] + data[cut + KEEP_ALIVE_LENGTH : -2], end, 0

    def _resemble(self, fields: bytes) -> bool:
        """Whether these are like the last ones; if so, they are the last ones now."""
        start, stop = len(self._before), len(fields) - len(self._after)
        if (
            not fields.startswith(self._before)
            or not fields.endswith(self._after, start)
            or len(fields) > LONGEST
            or _fields(fields, start, stop) is None
        ):
            return False
        if self._cut < -len(self._after):
            self._cut -= len(fields) - len(self._last)
        self._last = fields
        return True

    def _read_anew(self, data: bytes, fields: bytes) -> Plain | None:
        request = read_plain_request(data)
        if request is not None and self._lessons and len(fields) <= LONGEST:
            host, _, end, length = request
            if end == len(data) and not length and fields.count(b"\n") <= MOST_LINES:
                self._lessons -= 1
                self._learn(fields, host)
        return request

    def _learn(self, fields: bytes, host: bytes) -> None:
        """Remember what these and the last ones have in common, if the Host is part of it."""
        old, new = (each.split(b"\r\n")[:-2] for each in (self._last, fields))
        first = _alike(old, new)
        last = len(new) - _alike(old[first:][::-1], new[first:][::-1])
        before, after = (b"".join([line + b"\r\n" for line in lines]) for lines in (new[:first], new[last:]))
        common = read_plain_request(b"GET / HTTP/1.1\r\n" + before + after + b"\r\n")
        self._before, self._after = (_NOTHING, b"") if common is None else (before, after + b"\r\n")
        keep_alive = _keep_alive(fields)
        self._last = fields
        self._host = host
        self._cut = keep_alive.start() - len(fields) if keep_alive else 0


def _alike(old: list[bytes], new: list[bytes]) -> int:
    """How many are equal at the beginning."""
    return sum(1 for _ in takewhile(bool, map(eq, old, new)))
