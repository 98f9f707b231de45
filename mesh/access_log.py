"""The access log: one JSON line per exchange, off by default.

The data plane hands over a record and goes on; lines are made and written by the log's own task, in batches
and with the blocking write in a thread.  What comes faster than it can be written is dropped, counted, and the
count is logged: a slow disk must cost lines, never latency or memory.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import msgspec

CAPACITY = 20_000
"""Records that wait to be written."""
BATCH = 500
"""Records per write; about a millisecond of formatting."""


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


def format_record(record: AccessRecord) -> bytes:
    """The line, newline included.  JSON escapes control characters, so a client cannot forge a second line."""
    return msgspec.json.encode(record) + b"\n"


class AccessLog:
    """Callable by the data plane; `run` belongs in a TaskGroup of whoever owns the log."""

    def __init__(self, write: Callable[[bytes], object], capacity: int = CAPACITY) -> None:
        """`write` may block; it is called in a thread, one call at a time."""
        self._write = write
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
        lines = [format_record(self._records.popleft()) for _ in range(count)]
        lost, self._lost = self._lost, 0
        if lost:
            lines.append(msgspec.json.encode({"time": time.time(), "lost": lost}) + b"\n")
        if not self._records:
            self._waiting.clear()
        return b"".join(lines), count + lost
