"""The chunked transfer coding (RFC 9112 section 7.1), followed strictly and handed on as it came.

Chunk lines and trailers are handed on only once they are whole and known to be good; chunk data at once.
Chunk extensions must be well-formed; a trailer may not hold fields that frame or route.
"""

from __future__ import annotations

import re

from mesh.http1.errors import Malformed
from mesh.http1.grammar import TCHAR, VALUE
from mesh.reasons import Reason

MAX_LINE = 4096
MAX_TRAILER = 16_384

_LINE = re.compile(
    rb"([0-9a-fA-F]{1,32})(?:;"
    + TCHAR
    + rb"++(?:=(?:"
    + TCHAR
    + rb'++|"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"))?)*\r\n'
).fullmatch
_SIMPLE_LINE = re.compile(rb"([0-9a-fA-F]{1,8})\r\n").match
_TRAILER = re.compile(rb"(" + TCHAR + rb"++):" + VALUE + rb"\r\n").fullmatch
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"host", b"connection", b"trailer", b"te", b"upgrade"})

_SIZE, _DATA, _DATA_END, _TRAILERS = range(4)


class ChunkedBody:
    """Follows one chunked body; with `decode` the chunks' data is returned, without the coding."""

    __slots__ = ("_bad", "_line", "_remaining", "_state", "_trailer", "complete", "decode", "rest")

    def __init__(self, bad: Reason, decode: bool = False) -> None:
        self._bad = bad
        self.decode = decode
        self._state = _SIZE
        self._line = b""
        """The beginning of a line whose end has not been read."""
        self._remaining = 0
        self._trailer = 0
        """Bytes of trailer so far."""
        self.complete = False
        self.rest = b""

    def feed(self, data: bytes) -> tuple[bytes, ...]:
        out: list[bytes] = []
        held = len(self._line)
        start = at = 0
        """`data[start:at]` is known to be good and not in `out` yet."""
        end = len(data)
        while at < end and not self.complete:
            if self._state == _DATA:
                step = min(self._remaining, end - at)
                if self.decode:
                    out.append(data[at : at + step])
                at += step
                self._remaining -= step
                if not self._remaining:
                    self._state = _DATA_END
                continue
            if self._state == _SIZE and not held and (passed := self._pass_whole(data, at, out)) > at:
                at = passed
                continue
            after = data.find(b"\n", at, at + MAX_LINE - held) + 1
            if not after:
                self._hold(data[at:])
                break
            if held:
                line, held = self._line + data[at:after], 0
                self._line = b""
                if not self.decode:
                    out.append(line)
                start = after
            else:
                line = data[at:after]
            self._take(line)
            at = after
        if self.complete:
            self.rest = data[at:]
        if self.decode:
            return tuple(piece for piece in out if piece)
        if start < at:
            out.append(data if at - start == end else data[start:at])
        return tuple(out)

    def _pass_whole(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Where the whole chunks that begin at `at` end: there may be tens of thousands of them in one read."""
        while line := _SIMPLE_LINE(data, at):
            begin = line.end()
            end = begin + int(line[1], 16)
            if begin == end or data[end : end + 2] != b"\r\n":
                break
            if self.decode:
                out.append(data[begin:end])
            at = end + 2
        return at

    def _hold(self, part: bytes) -> None:
        self._line += part
        if len(self._line) >= MAX_LINE or (self._state == _DATA_END and part[:1] != b"\r" and len(self._line) == 1):
            raise Malformed(self._bad, "a chunk line that does not end")

    def _take(self, line: bytes) -> None:
        """Move on by one whole line."""
        if self._state == _SIZE:
            match = _LINE(line)
            if not match or (size := int(match[1], 16)) >= 2**63:
                raise Malformed(self._bad, "a malformed chunk size line")
            self._remaining = size
            self._state = _DATA if size else _TRAILERS
        elif self._state == _DATA_END:
            if line != b"\r\n":
                raise Malformed(self._bad, "chunk data that does not end where its size says")
            self._state = _SIZE
        elif line == b"\r\n":
            self.complete = True
        else:
            self._check_trailer(line)

    def _check_trailer(self, line: bytes) -> None:
        match = _TRAILER(line)
        self._trailer += len(line)
        if not match or self._trailer > MAX_TRAILER or match[1].lower() in _FRAMING:
            raise Malformed(self._bad, "a malformed trailer")
