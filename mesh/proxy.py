"""The Proxy: what every connection of the data plane shares, and the place where a table comes in force."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from mesh.access_log import Ended
from mesh.compiler import Compiled
from mesh.deadlines import Deadlines
from mesh.frames import FrameTaker
from mesh.live import Live
from mesh.outgoing import END
from mesh.request_id import request_ids
from mesh.stats import StatsFrame
from mesh.steps import run_to_end
from mesh.table import RoutingTable


class Drainable(Protocol):
    def drain(self) -> None:
        """Close now if nothing is in progress, else once it is over."""


class Proxy:
    """The data plane's shared state; one per event loop."""

    __slots__ = (
        "access_log", "clients", "clock", "copies", "deadlines", "draining", "failure_log", "farewell", "frames",
        "head_ends", "live", "loop", "request_ids", "table", "trusted_proxies",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float]) -> None:
        self.loop = loop
        self.clock = clock
        """Monotonic seconds; asked once when an exchange begins and once when it ends."""
        self.deadlines = Deadlines(clock)
        self.live = Live(clock, self.deadlines)
        """The Backends that outlive tables; the compiler finds them here."""
        self.frames = FrameTaker(self.live)
        """Takes what the counters say, in slices."""
        self.table = RoutingTable()
        """Read once per request or connection, by ``table.listeners[key]``."""
        self.farewell = 30.0
        """Seconds that a stream may go on through an endpoint that terminates."""
        self.draining = False
        """Answers carry ``Connection: close`` from now on."""
        self.clients: set[Drainable] = set()
        """Open connections of clients: those of HTTP, those relayed, and those of which it is not known yet."""
        self.copies: set[object] = set()
        """Copies of requests that are under way; see `mesh.mirror`."""
        self.request_ids = request_ids(os.urandom)
        self.head_ends = request_ids(os.urandom, END)
        """Ids as they stand at the end of a head."""
        self.trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
        """Networks whose X-Forwarded-* fields are believed."""
        self.access_log: Callable[[Ended], None] | None = None
        """Told of every exchange that ended; None: nobody wants to know."""
        self.failure_log: Callable[[Ended], None] | None = None
        """While `access_log` is None: told of every exchange that the proxy itself ended."""

    def publish(self, compiled: Compiled) -> None:
        """`publish_steps` in one go."""
        run_to_end(self.publish_steps(compiled))

    def publish_steps(self, compiled: Compiled) -> Generator[None, None, None]:
        """Put `compiled` in force: changed plans, then the table by one assignment, then farewell to the rest.

        Yields after every Backend that was changed, so that a change of very many endpoints does not hold the
        loop.  Each Backend changes as a whole; Backends that are new are seen only with the table.
        """
        follows = compiled.touched is not None and compiled.table.generation == self.table.generation + 1
        for plan, backend in compiled.touched_pairs() if follows else compiled.pairs():
            if backend.plan is not plan:
                yield from backend.prepare(plan)
                backend.apply(plan)
                yield
        self.table = compiled.table
        for backend in self.live.replace(compiled.backends):
            backend.retire()
            yield

    def frame(self) -> StatsFrame:
        """What all counters say now; ``frames.steps()`` is the way to it that never holds the loop."""
        return self.frames.take()

    def drain(self) -> None:
        """From now on answers carry ``Connection: close``, and idle client connections are closed."""
        self.draining = True
        for client in tuple(self.clients):
            client.drain()

    def in_flight(self, replica_id: str) -> int:
        """Exchanges and connections that a replica is serving; 0: it may be stopped without breaking any."""
        return self.live.in_flight(replica_id)
