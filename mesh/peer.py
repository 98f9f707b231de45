"""Peer: who is at the other end of an accepted connection.  Header trust, policy and stats read only this."""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    address: str
    port: int
    identity: str = ""
    """A verified identity, or none."""
    learned: str = "socket"
    """How the address was learned: ``socket``, later ``proxy-protocol``."""
    trusted: bool = False
    """Whether the address is among the trusted proxies."""
    secure: bool = False
    """Whether the connection is within TLS that ends here."""
