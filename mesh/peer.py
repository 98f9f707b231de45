"""Peer: who is at the other end of an accepted connection.  Header trust, policy and stats read only this."""

from __future__ import annotations

from asyncio import BaseTransport
from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from socket import SOCK_STREAM, SocketType
from typing import NamedTuple

Networks = Iterable[IPv4Network | IPv6Network]


class Peer(NamedTuple):
    address: str
    port: int
    identity: str = ""
    """A verified identity, or none."""
    learned: str = "socket"
    """How the address was learned: ``socket``, or ``proxy-protocol``."""
    trusted: bool = False
    """Whether the address is among the trusted proxies."""
    secure: bool = False
    """Whether the connection is within TLS that ends here."""


class Ends(NamedTuple):
    """The ends of the connection that another stands for, each an address and a port."""

    client: tuple[str, int]
    dialled: tuple[str, int]


class Introduced(SocketType):
    """The socket of a connection that stands for another: its ends are said to be those of that other one.

    So whoever asks a socket where its client is need not know how that was learned.
    """

    __slots__ = ("ends",)

    def __init__(self, line: SocketType, ends: Ends) -> None:
        """Takes the descriptor of `line`, which is of no use afterwards."""
        super().__init__(line.family, SOCK_STREAM, 0, line.detach())
        self.setblocking(False)
        self.ends = ends

    def getpeername(self) -> tuple[str, int]:
        return self.ends.client

    def getsockname(self) -> tuple[str, int]:
        return self.ends.dialled


def peer_of(transport: BaseTransport, trusted: Collection[IPv4Network | IPv6Network]) -> Peer:
    """Who is at the other end of an accepted connection."""
    address, port = (transport.get_extra_info("peername") or ("0.0.0.0", 0))[:2]
    secure = transport.get_extra_info("sslcontext") is not None
    return Peer(address, port, trusted=bool(trusted) and within(address, trusted), secure=secure)


def within(address: str, networks: Networks) -> bool:
    """Whether an IP address, with a zone or without, is in one of `networks`."""
    ip = ip_address(address.partition("%")[0])
    return any(ip in network for network in networks)


def plain(address: str) -> str:
    """An IP address as its client's own network writes it: an IPv4 address within an IPv6 one is taken out."""
    mapped = getattr(ip_address(address), "ipv4_mapped", None)
    return str(mapped) if mapped is not None else address
