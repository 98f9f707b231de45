"""Traces begun here (W3C Trace Context): a ``traceparent`` for requests that come without one that can be read.

One that can be read goes on as it came, for this proxy is no part of the trace.  Where a trace begins anew, no
``tracestate`` of another goes with it (section 3.3 there).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from config.filters import TracePolicy
from mesh.filters.edits import lines_named

_READABLE = re.compile(
    rb"(?im)^traceparent:[ \t]*(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    rb"(?:-[!-~]*)?[ \t]*\r\n"
)
_TRACE = lines_named(["traceparent", "tracestate"])
_NAME = re.compile(rb"(?im)^traceparent:")


class Trace:
    __slots__ = ("_chance", "_randbytes", "_share")

    def __init__(
        self, policy: TracePolicy, chance: Callable[[], float], randbytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        """`chance` gives numbers from 0 to below 1, `randbytes(n)` n random bytes."""
        self._share = policy.sampled_percent / 100
        self._chance = chance
        self._randbytes = randbytes

    def __call__(self, lines: bytes) -> bytes:
        """The lines of a request's head, with a trace."""
        if _READABLE.search(lines) and len(_NAME.findall(lines)) == 1:
            return lines
        ids = self._randbytes(24).hex().encode()
        sampled = b"01" if self._chance() < self._share else b"00"
        return _TRACE.sub(b"", lines) + b"traceparent: 00-%b-%b-%b\r\n" % (ids[:32], ids[32:], sampled)
