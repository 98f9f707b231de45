"""Whether this weft is ready: every listener is bound, and every Deployment has the replicas it wants.

Nothing is remembered: what is missing is looked up when somebody asks, on the event loop that carries the
traffic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from discovery.platforms.base import WorkloadStatus
from sidecar.doors import Door


class Missing(NamedTuple):
    what: str
    why: str


def missing(unbound: Iterable[Door], workloads: Iterable[WorkloadStatus]) -> Iterator[Missing]:
    """All that keeps this weft from being ready: the doors that are not bound, and the replicas that lack."""
    for door in unbound:
        yield Missing(door.title, door.note)
    for status in workloads:
        if not status.complete:
            yield Missing(f"Deployment {status.workload.namespace}/{status.workload.name}", _shortfall(status))


def _shortfall(status: WorkloadStatus) -> str:
    ready = f"{status.ready}/{status.desired} replicas ready"
    reason = status.message or next((replica.message for replica in status.replicas if replica.message), "")
    return f"{ready}: {reason}" if reason else ready
