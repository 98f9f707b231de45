"""The gate of a listener: who may come in, how many connections are open, and whether there is room for one more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from ipaddress import ip_address
from socket import SocketType
from typing import Final

from mesh.backend import Backend
from mesh.connector import close_with_reset, peer_address
from mesh.descriptors import PER_CONNECTION, Descriptors
from mesh.proxy import Proxy
from mesh.reasons import DENIED, SOURCE_REFUSED, Reason
from mesh.records import Way, flow, wanted
from mesh.table import Listener, ListenerKey, Route
from mesh.tls.names import Passage

QUIET: Final = 60.0
"""Seconds between two lines in the log about one listener that lacks something."""

log = logging.getLogger(__name__)


class Gate:
    __slots__ = ("_descriptors", "_quiet_until", "advised", "closed", "key", "limit", "open")

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
        self._quiet_until = 0.0

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

    def lacks(self, what: OSError, now: float) -> None:
        """Say now and then that accepting stops for a moment: it is tried again many times a second."""
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET
            log.warning("%s accepts no more for a moment: %s", self.key, what.strerror)


def welcome(listener: Listener, address: str) -> bool:
    """Whether a client with this address may come in (loadBalancerSourceRanges)."""
    if not listener.sources:
        return True
    client = ip_address(address)
    return any(client in network for network in listener.sources)


def refusal(listener: Listener, address: str) -> Reason | None:
    """Why a client with this address may not come in, whatever it speaks; None: it may."""
    if not welcome(listener, address):
        return SOURCE_REFUSED
    filters = listener.route.filters
    return None if filters is None or filters.admits(address) else DENIED


def turn_away(proxy: Proxy, gate: Gate, line: SocketType, listener: Listener | None, reason: Reason) -> None:
    """Reset a connection that has entered and is not let in, for the `reason` that was counted."""
    log = wanted(proxy, reason)
    if log is not None and listener is not None:
        came = Way("tcp", listener.key, peer_address(line), listener.route.backend.key, proxy)
        log(flow(came, 0.0, tries=0, moved=(0, 0), reason=reason.error))
    close_with_reset(line)
    gate.left()


def way(route: Route | Passage, line: SocketType) -> Backend | None:
    """Where a connection that is relayed goes, as filters of its route have it; None: its client is not let in."""
    filters, backend = route.filters, route.backend
    if filters is None:
        return backend
    try:
        client: str = line.getpeername()[0]
    except OSError:  # it is gone
        return None
    if filters.admits(client):
        return filters.backend() or backend
    backend.failed(DENIED)
    return None
