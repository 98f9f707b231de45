"""How many replicas of which revision there are to be next: one step of a Deployment, as a pure function.

apps/v1 Deployment, as Kubernetes' controller does it.  The replicas of one revision are a group (a ReplicaSet there)
that has a size; a step changes sizes, and is taken again after every change until there is nothing to do.
RollingUpdate: the new group grows as far as ``maxSurge`` allows, then old ones shrink as far as ``maxUnavailable``
allows, first by what is not available in them.  A new number of replicas in the midst of a rollout, or while it is
paused, is shared out in proportion to the sizes.  Recreate: nothing new before all that is old is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from config.meta import IntOrString
from config.resources.workloads import DeploymentStrategy


class Group(NamedTuple):
    """The replicas of one revision; sequences of groups are ordered from oldest to newest."""

    digest: str
    size: int
    """How many there are to be."""
    available: int = 0
    """How many are, and have been ready for long enough."""
    existing: int = 0
    """How many there are, terminating ones too."""


class Wanted(NamedTuple):
    """What the Deployment says."""

    desired: int
    strategy: DeploymentStrategy
    paused: bool = False
    before: int | None = None
    """The number of replicas that the sizes were made for; None: there was none."""


class Copy(NamedTuple):
    """A replica; sequences of them are ordered from oldest to newest."""

    id: str
    digest: str
    ready: bool = False
    since: float = 0.0
    """Unix time at which it last changed between ready and not ready."""
    terminating: bool = False

    def available(self, now: float, min_ready: float) -> bool:
        """Whether it has been ready for ``minReadySeconds``."""
        return self.ready and (not min_ready or self.since + min_ready <= now)


def next_sizes(wanted: Wanted, groups: Sequence[Group], new: str) -> dict[str, int]:
    """The sizes that differ after one step towards ``wanted.desired`` replicas of the revision `new`.

    `new` need not have a group yet; it is empty where there is no template that can run.
    """
    sizes = {group.digest: group.size for group in groups}
    active = [group for group in groups if group.size]
    if wanted.paused or (active and wanted.before not in (None, wanted.desired)):
        step = _scale(wanted, groups, new)
    elif not new:
        step = {}
    elif wanted.strategy.type == "Recreate":
        step = _recreate(wanted.desired, groups, new)
    else:
        step = _roll(wanted, groups, new)
    return {digest: size for digest, size in step.items() if size != sizes.get(digest, 0)}


def limits(desired: int, strategy: DeploymentStrategy) -> tuple[int, int]:
    """How many replicas more, and how many available ones fewer, than desired there may be for a while.

    Percentages are of the desired number, rounded up for surge and down for unavailable; not both can be 0.
    """
    if strategy.type == "Recreate":
        return 0, 0
    rolling = strategy.rolling_update
    surge = _share(rolling.max_surge, desired, up=True)
    unavailable = _share(rolling.max_unavailable, desired, up=False)
    return surge, min(desired, unavailable or (0 if surge else 1))


def surplus(size: int, copies: Sequence[Copy], victims: Collection[str] = frozenset()) -> list[str]:
    """Which of the `copies` of a group go so that `size` stay.

    Named `victims` go first, then those that are not ready, then those that have been ready for the shortest time,
    then the newest.
    """
    newest_first = [copy for copy in reversed(copies) if not copy.terminating]
    if len(newest_first) <= size:
        return []
    order = sorted(newest_first, key=lambda copy: (copy.id not in victims, copy.ready, -copy.since))
    return [copy.id for copy in order[: len(order) - size]]


def _recreate(desired: int, groups: Sequence[Group], new: str) -> Mapping[str, int]:
    old = [group for group in groups if group.digest != new]
    if any(group.size for group in old):
        return {group.digest: 0 for group in old}
    return {} if any(group.existing for group in old) else {new: desired}


def _roll(wanted: Wanted, groups: Sequence[Group], new: str) -> Mapping[str, int]:
    surge, fewer = limits(wanted.desired, wanted.strategy)
    newest = next((group for group in groups if group.digest == new), Group(new, 0))
    room = wanted.desired + surge - sum(group.size for group in groups)
    if newest.size > wanted.desired:
        return {new: wanted.desired}
    if newest.size < wanted.desired and room > 0:
        return {new: newest.size + min(room, wanted.desired - newest.size)}
    return _shrink(wanted.desired - fewer, newest, [group for group in groups if group.digest != new])


def _shrink(needed: int, newest: Group, old: Sequence[Group]) -> Mapping[str, int]:
    """Sizes of the old groups while `needed` replicas stay available.

    New replicas that are not available yet hold the old ones back, or a template that never becomes ready would
    take everything down bit by bit.
    """
    sizes = {group.digest: group.size for group in old}
    spare = newest.available + sum(sizes.values()) - needed
    if spare <= 0:
        return {}
    for group in old:
        gone = min(spare, max(0, group.size - group.available))
        sizes[group.digest] -= gone
        spare -= gone
    spare = newest.available + sum(group.available for group in old) - needed
    for group in old:
        gone = max(0, min(spare, sizes[group.digest]))
        sizes[group.digest] -= gone
        spare -= gone
    return sizes


def _scale(wanted: Wanted, groups: Sequence[Group], new: str) -> Mapping[str, int]:
    """Another number of replicas: of the only group that has any, else of all in proportion."""
    active = [group for group in groups if group.size]
    newest = next((group for group in groups if group.digest == new), None)
    if len(active) <= 1:
        only = active[0] if active else newest or (groups[-1] if groups else None)
        return {only.digest: wanted.desired} if only is not None else {}
    complete = newest is not None and newest.size == newest.available == wanted.desired == wanted.before
    if complete:
        return {group.digest: 0 for group in active if group is not newest}
    return _in_proportion(wanted, active) if wanted.strategy.type == "RollingUpdate" else {}


def _in_proportion(wanted: Wanted, active: Sequence[Group]) -> Mapping[str, int]:
    """Larger groups change more, and the largest takes what rounding leaves."""
    total = sum(group.size for group in active)
    most = wanted.desired + limits(wanted.desired, wanted.strategy)[0] if wanted.desired else 0
    before = total if wanted.before is None else wanted.before
    most_before = before + limits(before, wanted.strategy)[0] or total
    more = left = most - total
    newer_first = active[::-1] if more > 0 else active
    ordered = sorted(newer_first, key=lambda group: -group.size)
    sizes = {}
    for group in ordered:
        share = int(group.size * most / most_before + 0.5) - group.size if wanted.desired else -group.size
        change = max(0, min(share, left)) if more > 0 else min(0, max(share, left))
        sizes[group.digest] = group.size + change
        left -= change
    first = ordered[0].digest
    sizes[first] = max(0, sizes[first] + left)
    return sizes


def _share(amount: IntOrString, of: int, *, up: bool) -> int:
    if isinstance(amount, int):
        return amount
    percent = int(amount.rstrip("%"))
    return -(-of * percent // 100) if up else of * percent // 100
