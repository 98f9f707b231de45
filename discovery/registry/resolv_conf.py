"""The system's resolvers: the ``nameserver`` lines of ``/etc/resolv.conf`` (resolv.conf(5))."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

MOST: Final = 3
"""As libc: more are not asked."""
PATH: Final = Path("/etc/resolv.conf")
DNS_PORT: Final = 53


class Resolver(NamedTuple):
    address: str
    port: int = DNS_PORT

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def parse(text: str) -> tuple[Resolver, ...]:
    """The resolvers that a text names, in order; lines that name none are skipped, as libc does."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and _is_address(words[1]):
            found.append(Resolver(words[1]))
    return tuple(dict.fromkeys(found))[:MOST]


def without(resolvers: Iterable[Resolver], own: Resolver) -> tuple[Resolver, ...]:
    """Those that are not ourselves, which would be the shortest of all loops."""
    everywhere = ip_address(own.address).is_unspecified
    return tuple(
        each
        for each in resolvers
        if each.port != own.port or not (each.address == own.address or (everywhere and _is_loopback(each.address)))
    )


def read(path: Path = PATH) -> tuple[Resolver, ...]:
    """The resolvers of this system; none if there is no such file."""
    try:
        return parse(path.read_text(errors="replace"))
    except OSError:
        return ()


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    return ip_address(text.partition("%")[0]).is_loopback
