"""The hosts file of this system (hosts(5)): names that are known without asking anybody."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final

PATH: Final = Path("/etc/hosts")
LARGEST: Final = 1 << 20
"""Bytes that are read."""

Addresses = tuple[str, ...]


def parse(text: str) -> Mapping[str, Addresses]:
    """Addresses by name, in lower case; lines that begin with no address are skipped, as libc does."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        try:
            ip_address(address.partition("%")[0])
        except ValueError:
            continue
        for name in names:
            found.setdefault(name.lower().rstrip("."), []).append(address)
    return {name: tuple(dict.fromkeys(addresses)) for name, addresses in found.items()}


class Hosts:
    """What the file says now; it is read again only when it was changed."""

    def __init__(self, path: Path = PATH) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._known: Mapping[str, Addresses] = {}

    def find(self, name: str, kind: str) -> Addresses | None:
        """The addresses of `name` that are A or AAAA; None: the file does not know the name at all."""
        self._refresh()
        addresses = self._known.get(name.lower().rstrip("."))
        if addresses is None:
            return None
        return tuple(each for each in addresses if (":" in each) == (kind == "AAAA"))

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            if self._seen == (seen := (status.st_mtime_ns, status.st_size)):
                return
            with self._path.open(errors="replace") as file:
                self._known = parse(file.read(LARGEST))
        except OSError:  # without one, nothing is known that way
            seen, self._known = (0, 0), {}
        self._seen = seen
