"""Request heads of one connection, most of whose lines are those of the last one.

A client says the same on a connection again and again; what differs is the request line, and perhaps a cookie or a
date.  So a short request that is the last one to the letter is not read again, nor are fields that are those of the
last one; and of fields that begin and end as two requests did, only what is between is read: the value of a field, or
some lines.  Where the Host comes first and is now this one, now that one, it is read along with the request line.
What is accepted is as strict, and means the same, as what `read_request` accepts: it is what `read_plain_request`
accepts, but that more than 32 plain lines may follow each other.
"""

from __future__ import annotations

import re
from itertools import takewhile
from operator import eq
from typing import Final

from mesh.http1.grammar import KEEP_ALIVE, KEEP_ALIVE_LENGTH, VALUE
from mesh.http1.request import PLAIN_FIELDS, PLAIN_HOST, PLAIN_LINE, Plain, read_plain_request

LONGEST: Final = 2048
"""Bytes of fields that are remembered."""
SHORT: Final = 128
"""Bytes of a request that is remembered to the letter."""
MOST_LINES: Final = 64
"""Field lines of a request that is learned from: with those between, there are never more than `MAX_FIELDS`."""
LESSONS: Final = 8
"""Times that one client is learned from; what varies more is read in full."""

_HOST_LINE = rb"[Hh]ost: (%b)\r\n" % PLAIN_HOST
_request_line = re.compile(PLAIN_LINE).match
_line_and_host = re.compile(PLAIN_LINE + _HOST_LINE).match
_host_line = re.compile(_HOST_LINE).match
_lines = re.compile(PLAIN_FIELDS).fullmatch
_value = re.compile(VALUE).fullmatch
_never = re.compile(rb"(?!)").fullmatch
_keep_alive = re.compile(rb"(?<![^\n])" + KEEP_ALIVE).search


class RequestReader:
    """Reads what one client sends."""

    __slots__ = ("_after", "_before", "_between", "_cut", "_data", "_fields", "_host", "_lessons", "_request", "_start")

    def __init__(self) -> None:
        self._data = b""
        """The last short request, as it came."""
        self._request: Plain | None = None
        """What it is."""
        self._start = _request_line
        """What matches all that is read anew of each request."""
        self._fields: bytes | None = None
        """What followed it in a plain request without a body, lately, up to the end; None: there was none."""
        self._host = b""
        """In `_fields`; empty: it is in what is read anew."""
        self._cut = 0
        """Where ``Connection: keep-alive`` is in `_fields`, counted from the end; 0: nowhere."""
        self._before = b""
        """What fields begin with, if they are like these."""
        self._after = b""
        """What they end with."""
        self._between = _never
        """What matches all that may be between."""
        self._lessons = LESSONS

    def read(self, data: bytes) -> Plain | None:
        """The request whose whole head is at the beginning of `data`, if it is a plain one."""
        if data == self._data:
            return self._request
        start = self._start(data)
        if start is None:
            return self._read_anew(data)
        fields = data[start.end() :]
        if fields != self._fields and not self._resemble(fields):
            return self._read_anew(data)
        end, host = len(data), self._host or start[1]
        if self._cut:
            cut = end + self._cut
            return host, data[:cut] + data[cut + KEEP_ALIVE_LENGTH : -2], end, 0
        request = host, data[:-2], end, 0
        if end <= SHORT:
            self._data, self._request = data, request
        return request

    def _resemble(self, fields: bytes) -> bool:
        """Whether these are like the last ones; if so, they are the last ones now."""
        before, after, size = self._before, self._after, len(fields)
        begin, end = len(before), size - len(after)
        if (
            fields[:begin] != before  # a slice that is compared costs less than `startswith`
            or fields[end:] != after
            or size > LONGEST
            or self._between(fields, begin, end) is None  # so it is where they overlap
        ):
            return False
        if self._cut < -len(after):
            self._cut -= size - len(self._fields or b"")
        self._fields = fields
        return True

    def _read_anew(self, data: bytes) -> Plain | None:
        request = read_plain_request(data)
        if request is not None and self._lessons:
            host, _, end, length = request
            fields = data[data.index(b"\n") + 1 :]
            if end == len(data) and not length and len(fields) <= LONGEST and fields.count(b"\n") <= MOST_LINES:
                self._lessons -= 1
                self._learn(fields, host)
        return request

    def _learn(self, fields: bytes, host: bytes) -> None:
        """Remember these, and what they and the last ones have in common."""
        known, first = self._fields or b"", _host_line(fields)
        before = _host_line(known)
        if first and ((before and host != self._host) or self._start is _line_and_host):
            known = known[before.end() :] if before else known
            self._start, self._host = _line_and_host, b""
            self._fields = fields[first.end() :]
            self._compare(known, self._fields, first[0])
        else:
            self._start, self._host, self._fields = _request_line, host, fields
            self._compare(known, fields, b"")

    def _compare(self, known: bytes, fields: bytes, host_line: bytes) -> None:
        """Find what the ones and the others have in common, if what is cut out is part of it."""
        old, new = (each.split(b"\r\n")[:-2] for each in (known, fields))
        first = _alike(old, new)
        last = len(new) - _alike(old[first:][::-1], new[first:][::-1])
        before, after = (b"".join([line + b"\r\n" for line in lines]) for lines in (new[:first], new[last:]))
        keep_alive = _keep_alive(fields)
        self._before, self._between, self._after = b"", _never, b""
        if (keep_alive is None or _keep_alive(before + after)) and _is_plain(host_line + before + after):
            one = len(old) == len(new) and last == first + 1
            same = _alike_names(old[first], new[first]) if one else b""
            if same and _lines(new[first] + b"\r\n"):
                self._before, self._between, self._after = before + same, _value, b"\r\n" + after + b"\r\n"
            else:
                self._before, self._between, self._after = before, _lines, after + b"\r\n"
        self._cut = keep_alive.start() - len(fields) if keep_alive else 0


def _is_plain(lines: bytes) -> bool:
    return read_plain_request(b"GET / HTTP/1.1\r\n" + lines + b"\r\n") is not None


def _alike_names(old: bytes, new: bytes) -> bytes:
    """The name and colon, and one space if both have it, with which both lines begin; empty: the names differ."""
    at = new.find(b":") + 1
    at += new[at : at + 1] == old[at : at + 1] == b" "
    return new[:at] if old[:at] == new[:at] else b""


def _alike(old: list[bytes], new: list[bytes]) -> int:
    """How many are equal at the beginning."""
    return sum(1 for _ in takewhile(bool, map(eq, old, new)))
