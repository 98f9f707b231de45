"""Who of a target's replicas counts how for a metric per replica, as Kubernetes' autoscaler groups pods.

Terminating ones are ignored; pending ones are unready for every metric; for CPU also those that are just starting,
whose use says nothing about the load.  Who is left counts, or is missing when there is no sample of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mesh.autoscaling.reading import Reading
from mesh.autoscaling.target import Copy

CPU_INITIALIZATION = 300.0
"""Seconds after its start in which samples of a replica count only if they are wholly of a time when it was ready."""
INITIAL_READINESS = 30.0
"""Seconds after its start; who is not ready, and was not since then either, has never been ready."""


class Census(NamedTuple):
    counted: tuple[str, ...]
    unready: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def census(copies: Sequence[Copy], reading: Reading, now: float, *, cpu: bool) -> Census:
    """`now` is in Unix seconds; `cpu`: the metric is the resource of that name."""
    groups: dict[str, list[str]] = {"counted": [], "unready": [], "missing": [], "ignored": []}
    for copy in copies:
        groups[_group(copy, reading, now, cpu)].append(copy.id)
    return Census(**{name: tuple(ids) for name, ids in groups.items()})


def _group(copy: Copy, reading: Reading, now: float, cpu: bool) -> str:
    if copy.terminating:
        return "ignored"
    if copy.pending:
        return "unready"
    if copy.id not in reading.samples:
        return "missing"
    return "unready" if cpu and _is_starting(copy, reading, now) else "counted"


def _is_starting(copy: Copy, reading: Reading, now: float) -> bool:
    if now < copy.started + CPU_INITIALIZATION:
        return not copy.ready or reading.at < copy.since + reading.window
    return not copy.ready and copy.since < copy.started + INITIAL_READINESS
