"""The access log: one line per exchange, JSON or the Common Log Format, off by default.

The data plane hands over a record and goes on; lines are made and written by the log's own task, in batches
and with the blocking write in a thread.  What comes faster than it can be written is dropped, counted, and the
count is logged: a slow disk must cost lines, never latency or memory.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

import msgspec

CAPACITY = 20_000
"""Records that wait to be written."""
BATCH = 500
"""Records per write; about a millisecond of formatting."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Protocol = Literal["http", "tcp", "udp"]


class AccessRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename="camel"):
    """One exchange, or one relayed connection (without `method`, `target` and `status`)."""

    time: float
    """Unix time at which it began."""
    client: str
    listener: str
    """The address that the client dialled."""
    namespace: str = ""
    service: str = ""
    port: str = ""
    method: str = ""
    target: str = ""
    status: int = 0
    reason: str = ""
    """Reason code, as in Proxy-Status and in metrics; empty when the endpoint itself answered."""
    endpoint: str = ""
    """Of the last try."""
    tries: int = 1
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    request_id: str = ""
    host: str = ""
    """As the client named it, port included if it did."""
    minor: int = 1
    """The client spoke HTTP/1.`minor`."""
    protocol: Protocol = "http"
    """What was carried."""


def format_record(record: AccessRecord) -> bytes:
    """The line, newline included.  JSON escapes control characters, so a client cannot forge a second line."""
    return msgspec.json.encode(record) + b"\n"


def format_common(record: AccessRecord) -> bytes:
    """The line in the Common Log Format, then what that has no place for: reason, endpoint, seconds and request id.

    What is not known is ``-``.  A request's target is printable ASCII without spaces, or it was refused.
    """
    request: str = "-" if record.protocol == "http" else record.protocol
    if record.method:
        request = f"{record.method} {record.target} HTTP/1.{record.minor}"
    parts = [
        f"{record.client} - - [{_moment(int(record.time))}]",
        _quoted(request),
        str(record.status or "-"),
        str(record.bytes_out),
        record.reason or "-",
        record.endpoint or "-",
        f"{record.seconds:.6f}",
        _quoted(record.request_id or "-"),
    ]
    return " ".join(parts).encode("ascii", "backslashreplace") + b"\n"


@lru_cache(maxsize=4)
def _moment(second: int) -> str:
    """``10/Oct/2000:13:55:36 +0000``, whatever the locale; many lines share a second."""
    at = time.gmtime(second)
    return f"{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if escaped.isprintable() else f'"{escaped.encode("unicode_escape").decode("ascii")}"'


FORMATS: Mapping[str, Callable[[AccessRecord], bytes]] = {"json": format_record, "common": format_common}


class AccessLog:
    """Callable by the data plane; `run` belongs in a TaskGroup of whoever owns the log."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        capacity: int = CAPACITY,
        line: Callable[[AccessRecord], bytes] = format_record,
    ) -> None:
        """`write` may block; it is called in a thread, one call at a time.  `line` makes a line of a record."""
        self._write = write
        self._line = line
        self._capacity = capacity
        self._records: deque[AccessRecord] = deque()
        self._lost = 0
        self._waiting = asyncio.Event()

    def __call__(self, record: AccessRecord) -> None:
        if len(self._records) >= self._capacity:
            self._lost += 1
            return
        self._records.append(record)
        self._waiting.set()

    async def run(self) -> None:
        """Write until cancelled; then write what is left."""
        try:
            while True:
                await self._waiting.wait()
                await self._write_aside(*self._batch())
        finally:
            while (self._records or self._lost) and self._write_now(*self._batch()):
                continue

    async def _write_aside(self, lines: bytes, count: int) -> None:
        writing = asyncio.get_running_loop().run_in_executor(None, self._write_now, lines, count)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await writing  # what is left must not overtake it
            raise

    def _write_now(self, lines: bytes, count: int) -> bool:
        """Whether it worked; a full disk costs the lines and nothing else."""
        try:
            self._write(lines)
        except OSError:
            self._lost += count
            return False
        return True

    def _batch(self) -> tuple[bytes, int]:
        """Lines, and how many records they are."""
        count = min(BATCH, len(self._records))
        lines = [self._line(self._records.popleft()) for _ in range(count)]
        lost, self._lost = self._lost, 0
        if lost:
            lines.append(msgspec.json.encode({"time": time.time(), "lost": lost}) + b"\n")
        if not self._records:
            self._waiting.clear()
        return b"".join(lines), count + lost
