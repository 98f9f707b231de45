"""What a metric says at one moment: one number for the target as a whole, or one for each of its replicas.

Numbers are whole billionths, so that a load of exactly the target asks for exactly what there is, and nothing
hangs on the last bit of a float.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from config.quantity import parse_quantity

UNIT = 10**9


def amount(number: float) -> int:
    """`number` in billionths."""
    return round(number * UNIT)


def quantity(text: str) -> int:
    """A quantity in billionths, at least one."""
    return max(1, amount(parse_quantity(text)))


class Reading(msgspec.Struct, frozen=True):
    """Of one metric, in billionths of its unit."""

    samples: Mapping[str, int] = {}
    """By replica; one that is not here has none.  Of metrics of type Resource, ContainerResource and Pods."""
    requests: Mapping[str, int] = {}
    """Resource metrics: what each replica asked for."""
    unrequested: str = ""
    """Resource metrics: why what was asked for is not known; empty when it is."""
    value: int = 0
    """Of metrics of type Object and External."""
    failure: str = ""
    """Why there is nothing; empty when there is."""
    at: float = 0.0
    """When it was measured, in Unix seconds."""
    window: float = 0.0
    """Seconds over which."""


class Ratio(NamedTuple):
    """Of what is to what should be, exactly."""

    over: int
    under: int

    @property
    def value(self) -> float:
        return self.over / self.under

    def of(self, count: int) -> int:
        """The ceiling of that many times this."""
        return -(-count * self.over // self.under)

    @property
    def up(self) -> bool:
        return self.over > self.under

    @property
    def down(self) -> bool:
        return self.over < self.under


class Tolerance(NamedTuple):
    """How far a ratio may be from 1 without anything being done."""

    up: float = 0.1
    down: float = 0.1

    def holds(self, ratio: Ratio) -> bool:
        return 1.0 - self.down <= ratio.value <= 1.0 + self.up
