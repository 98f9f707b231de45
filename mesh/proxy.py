"""The Proxy: what every connection of the data plane shares, and the place where a table comes in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network

from mesh.deadlines import Deadlines
from mesh.table import RoutingTable


class Proxy:
    """The data plane's shared state; one per event loop."""

    __slots__ = ("clock", "deadlines", "draining", "loop", "table", "trusted_proxies")

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float]) -> None:
        self.loop = loop
        self.clock = clock
        """Monotonic seconds; asked once when an exchange begins and once when it ends."""
        self.deadlines = Deadlines(clock)
        self.table = RoutingTable()
        """Read once per request or connection, by ``table.listeners[key]``."""
        self.draining = False
        """Answers carry ``Connection: close`` from now on."""
        self.trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
        """Networks whose X-Forwarded-* fields are believed."""
