"""The access log: one line per exchange, off by default.

The data plane hands over what it knows and goes on; lines are made (`mesh.log_lines`) and written by the log's own
task, in batches and with the blocking write in a thread.  What comes faster than it can be written is dropped,
counted, and the count is logged: a slow disk must cost lines, never latency or memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from mesh.endpoint_state import EndpointState
from mesh.plan import BackendKey

CAPACITY = 20_000
"""Records that wait to be written."""
BATCH = 500
"""Records per write; less than a millisecond of formatting."""

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
    host: str = ""
    """As the client named it, port included if it did."""
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
    minor: int = 1
    """The client spoke HTTP/1.`minor`."""
    protocol: Protocol = "http"
    """What was carried."""


class About:
    """What many exchanges of one client have in common."""

    __slots__ = ("backend", "client", "host", "json", "listener")

    def __init__(self, client: str, listener: str, backend: BackendKey, host: bytes) -> None:
        """`host` is that of a plain request: no format has to escape any of it."""
        self.client = client
        self.listener = listener
        self.backend = backend
        self.host = host
        self.json: msgspec.Raw | None = None
        """Of a line: what it says of this, once it was needed; see `mesh.log_lines`."""


PlainEnd = tuple[float, float, bytes, int, int, int, EndpointState, About]
"""A plain exchange that went well: when it began by the monotonic clock, seconds, the head as it was sent, bytes of
the request, status, bytes of the response, and the rest.  They are what the exchange holds anyway."""

Ended = AccessRecord | PlainEnd

REQUEST_ID = slice(-20, -4)
"""Where a head that was made of a plain request has its id."""


def wall() -> float:
    """What makes Unix time of monotonic seconds."""
    return time.time() - time.monotonic()


def record_of(ended: Ended, began: float) -> AccessRecord:
    """The record of what ended; `began` is what `wall` says."""
    if isinstance(ended, AccessRecord):
        return ended
    started, seconds, head, taken, status, given, state, about = ended
    method, target, _ = head.split(b" ", 2)
    return AccessRecord(
        time=began + started,
        client=about.client,
        listener=about.listener,
        namespace=about.backend.namespace,
        service=about.backend.service,
        port=about.backend.port,
        method=method.decode("ascii"),
        target=target.decode("ascii"),
        status=status,
        endpoint=state.name,
        seconds=seconds,
        bytes_in=taken,
        bytes_out=given,
        request_id=head[REQUEST_ID].decode("ascii"),
        host=about.host.decode("ascii"),
    )


Lines = Callable[[Sequence[Ended], float], bytes]
"""``lines(ended, wall)``: a line each, newline included, in order."""


class AccessLog:
    """Callable with what has ended; `run` belongs in a TaskGroup of whoever owns the log."""

    def __init__(self, write: Callable[[bytes], object], lines: Lines, capacity: int = CAPACITY) -> None:
        """`write` may block; it is called in a thread, one call at a time."""
        self._write = write
        self._lines = lines
        self._capacity = capacity
        self._records: list[Ended] = []
        self._lost = 0
        self._waiting = asyncio.Event()

    def __call__(self, ended: Sequence[Ended]) -> None:
        room = self._capacity - len(self._records)
        self._records += ended[:room]
        self._lost += max(len(ended) - room, 0)
        self._waiting.set()

    async def run(self, gather: Callable[[], None] = lambda: None) -> None:
        """Write until cancelled; then write what is left, with what `gather` has the log called with."""
        try:
            while True:
                await self._waiting.wait()
                await self._write_aside(*self._batch())
        finally:
            gather()
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
        batch = self._records[:BATCH]
        del self._records[:BATCH]
        lines = self._lines(batch, wall())
        lost, self._lost = self._lost, 0
        if lost:
            lines += msgspec.json.encode({"time": time.time(), "lost": lost}) + b"\n"
        if not self._records:
            self._waiting.clear()
        return lines, len(batch) + lost
