"""Which replicas to start and which to stop: one step of a Deployment, as a pure function.

apps/v1 DeploymentStrategy, coarsely: new replicas come first as far as ``maxSurge`` allows, old ones go as far
as ``maxUnavailable`` allows; percentages of the desired number, rounded up for surge and down for unavailable.
The step is taken again after every change, until there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from config.meta import IntOrString
from config.resources.workloads import DeploymentStrategy


class Copy(NamedTuple):
    """A replica as the plan sees it; sequences of them are ordered from oldest to newest."""

    id: str
    current: bool
    """Whether it is made from the current template."""
    ready: bool
    terminating: bool = False


class Plan(NamedTuple):
    start: int = 0
    """How many replicas to start from the current template."""
    stop: tuple[str, ...] = ()


def plan(
    desired: int, strategy: DeploymentStrategy, copies: Sequence[Copy], victims: Collection[str] = frozenset()
) -> Plan:
    """The next step towards `desired` current replicas; `victims` go first where some must go."""
    alive = [copy for copy in copies if not copy.terminating]
    new = [copy for copy in alive if copy.current]
    old = [copy for copy in alive if not copy.current]
    surplus = _least_missed(new, victims)[: max(0, len(new) - desired)]
    if strategy.type == "Recreate":
        waiting = any(not copy.current for copy in copies)
        start = 0 if waiting else desired - len(new)
        return Plan(max(0, start), tuple(copy.id for copy in (*old, *surplus)))
    surge, unavailable = limits(desired, strategy)
    start = max(0, min(desired - len(new), desired + surge - len(alive)))
    return Plan(start, tuple(copy.id for copy in (*_replaceable(desired - unavailable, new, old, victims), *surplus)))


def limits(desired: int, strategy: DeploymentStrategy) -> tuple[int, int]:
    """How many replicas more, and how many ready ones fewer, than desired there may be for a while."""
    rolling = strategy.rolling_update
    surge = _share(rolling.max_surge, desired, up=True)
    unavailable = min(desired, _share(rolling.max_unavailable, desired, up=False))
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _replaceable(needed: int, new: list[Copy], old: list[Copy], victims: Collection[str]) -> list[Copy]:
    """Old replicas that may go while `needed` stay ready; unready ones first, as they serve nobody.

    New ones that are not ready yet hold the old ones back, or a template that never becomes ready would
    take everything down bit by bit.
    """
    unready_new = sum(not copy.ready for copy in new)
    spare = max(0, len(new) + len(old) - needed - unready_new)
    ready = sum(copy.ready for copy in (*new, *old))
    unready_old = [copy for copy in old if not copy.ready][:spare]
    ready_old = _least_missed([copy for copy in old if copy.ready], victims)
    return unready_old + ready_old[: max(0, min(ready - needed, spare - len(unready_old)))]


def _least_missed(copies: list[Copy], victims: Collection[str]) -> list[Copy]:
    """Named victims first, then those that are not ready, then the newest."""
    newest_first = copies[::-1]
    return sorted(newest_first, key=lambda copy: (copy.id not in victims, copy.ready))


def _share(amount: IntOrString, of: int, *, up: bool) -> int:
    if isinstance(amount, int):
        return amount
    percent = int(amount.rstrip("%"))
    return -(-of * percent // 100) if up else of * percent // 100
