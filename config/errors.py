"""What was wrong, where, and what to do: the faults of manifests, as values.

A fault never stops the reading: all of them are collected and reported together.  Only errors disable an
object; warnings and notices let it pass.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from config.meta import ObjectKey, Source

Severity = Literal["error", "warning", "notice"]


class Fault(msgspec.Struct, frozen=True):
    """One finding; prints as ``FILE:LINE:COL: KIND/NS/NAME: PATH: message``."""

    severity: Severity
    source: Source
    message: str
    object: ObjectKey | None = None
    path: str = ""
    """Of the field, as in ``spec.ports[0].targetPort``."""
    partial: bool = False
    """An error that leaves the object in force: only what it is about cannot be carried out."""

    @property
    def disables(self) -> bool:
        """Whether the object cannot be used."""
        return self.severity == "error" and not self.partial

    def __str__(self) -> str:
        parts = [str(self.source), str(self.object) if self.object else "", self.path, self.message]
        return ": ".join(part for part in parts if part)


class FaultList:
    """Collects faults up to a limit; what comes after is counted, not kept.

    The limit bounds memory and time when a file is not at all what it should be.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self.limit = limit
        self.faults: list[Fault] = []
        self.left_out = 0
        self._last = Source("", 1, 1)

    @property
    def crowded(self) -> bool:
        """Whether there are so many that nobody reads them one by one: messages need no costly suggestions."""
        return len(self.faults) >= self.limit // 10

    def add(self, fault: Fault) -> None:
        if len(self.faults) >= self.limit:
            self.left_out += 1
            self._last = fault.source
        else:
            self.faults.append(fault)

    def all(self) -> tuple[Fault, ...]:
        """All that was kept, and as an error of its own how much was not."""
        if not self.left_out:
            return tuple(self.faults)
        return (*self.faults, Fault("error", self._last, f"{self.left_out} more findings are not listed"))
