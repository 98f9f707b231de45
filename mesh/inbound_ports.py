"""Which ports inbound listeners have: the same ones after a restart, and never one that another's clients may know.

A copy of the registry may be old, and who reads it dials what was there then.  So a port belongs to whose replicas it
led to for as long as there are others; it leads to another replica of theirs, or nowhere, and not to other software.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

PORTS: Final = range(15000, 20000)
"""Below the local ports, the node ports, and those that the system takes for outgoing connections."""


class NoPort(Exception):
    """All ports are in use."""


class InboundPorts:
    """Gives out ports; without I/O."""

    def __init__(self, remembered: Mapping[str, tuple[int, ...]] | None = None, ports: range = PORTS) -> None:
        """`remembered`: what `assigned` was before."""
        self._ports = ports
        self._assigned: dict[str, list[int]] = {}
        self._owners: dict[int, str] = {}
        self._in_use: set[int] = set()
        self._taken: set[int] = set()
        """By other programs, as far as is known."""
        for owner, numbers in (remembered or {}).items():
            for number in numbers:
                if number in ports and number not in self._owners:
                    self._assign(owner, number)

    @property
    def assigned(self) -> dict[str, tuple[int, ...]]:
        """To each owner the ports that it has or had, those that were used longest ago first."""
        return {owner: tuple(numbers) for owner, numbers in self._assigned.items()}

    def take(self, owner: str) -> int:
        """A port for one more listener of `owner`.  Raises NoPort."""
        number = next((own for own in self._assigned.get(owner, ()) if self._is_free(own)), None)
        if number is None:
            number = self._unassigned(owner)
        self._in_use.add(number)
        return number

    def refuse(self, number: int) -> None:
        """Another program has this port, which was taken: it is nobody's here until the next start."""
        self._in_use.discard(number)
        self._taken.add(number)
        self._forget(number)

    def give_back(self, number: int) -> None:
        """No listener has the port any more; it stays its owner's."""
        self._in_use.discard(number)
        owner = self._owners.get(number)
        if owner is not None:  # the owner that has waited longest is the one to be forgotten
            self._assigned[owner] = self._assigned.pop(owner)

    def _unassigned(self, owner: str) -> int:
        start = zlib.crc32(owner.encode())
        for step in range(len(self._ports)):
            number = self._ports[(start + step) % len(self._ports)]
            if number not in self._owners and number not in self._taken:
                break
        else:
            number = self._oldest()
        self._assign(owner, number)
        return number

    def _oldest(self) -> int:
        """The port that has waited longest for its owner."""
        for numbers in self._assigned.values():
            for number in numbers:
                if self._is_free(number):
                    self._forget(number)
                    return number
        raise NoPort

    def _is_free(self, number: int) -> bool:
        return number not in self._in_use and number not in self._taken

    def _assign(self, owner: str, number: int) -> None:
        self._owners[number] = owner
        self._assigned.setdefault(owner, []).append(number)

    def _forget(self, number: int) -> None:
        owner = self._owners.pop(number, None)
        if owner is not None:
            self._assigned[owner].remove(number)
            if not self._assigned[owner]:
                del self._assigned[owner]
