"""The gate of a listener: who may come in, how many connections are open, and whether there is room for one more."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from mesh.descriptors import PER_CONNECTION, Descriptors
from mesh.table import Listener, ListenerKey


class Gate:
    __slots__ = ("_descriptors", "advised", "closed", "key", "limit", "open")

    def __init__(
        self, descriptors: Descriptors, key: ListenerKey, limit: int, closed: Callable[[], None] = lambda: None
    ) -> None:
        """`closed` is called when accepting stops for want of room, so that somebody looks for it again."""
        self._descriptors = descriptors
        self.closed = closed
        self.key = key
        self.advised = False
        """It was logged that the port should say what it speaks."""
        self.limit = limit
        self.open = 0

    @property
    def room(self) -> int:
        """Connections that may enter now; not positive: none."""
        return min(self.limit - self.open, self._descriptors.connections)

    def entered(self) -> None:
        self.open += 1
        self._descriptors.free -= PER_CONNECTION

    def left(self) -> None:
        """A connection is closed."""
        self.open -= 1
        self._descriptors.free += PER_CONNECTION


def welcome(listener: Listener, address: str) -> bool:
    """Whether a client with this address may come in (loadBalancerSourceRanges)."""
    if not listener.sources:
        return True
    client = ip_address(address)
    return any(client in network for network in listener.sources)
