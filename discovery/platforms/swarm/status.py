"""Statuses of a swarm's services, as its manager lists them with their tasks.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from config.meta import Named
from discovery.endpoint import WorkloadRef
from discovery.platforms.base import ReplicaStatus, WorkloadStatus
from discovery.platforms.swarm.labels import KIND
from discovery.platforms.swarm.listing import Listing, SwarmService, SwarmTask


def statuses(listing: Listing) -> Iterator[WorkloadStatus]:
    """Of all services that have a name here, by that."""
    tasks: dict[str, list[SwarmTask]] = {}
    for task in listing.tasks.values():
        tasks.setdefault(task.service, []).append(task)
    named = sorted((each.named, each.name, each) for each in listing.services.values() if each.named is not None)
    for name, _, service in named:
        yield _status(name, service, tasks.get(service.id, ()))


def status_of(listing: Listing, name: Named, service: SwarmService) -> WorkloadStatus:
    return _status(name, service, [each for each in listing.tasks.values() if each.service == service.id])


def _status(name: Named, service: SwarmService, tasks: Collection[SwarmTask]) -> WorkloadStatus:
    replicas = tuple(map(_replica, tasks))
    ready = sum(each.ready for each in replicas)
    return WorkloadStatus(
        workload=WorkloadRef(KIND, *name),
        desired=len(tasks) if service.replicas is None else service.replicas,
        running=sum(each.running for each in replicas),
        ready=ready,
        message=next((each.message for each in replicas if each.message), ""),
        replicas=replicas,
        existing=len(replicas),
        available=ready,
    )


def _replica(task: SwarmTask) -> ReplicaStatus:
    return ReplicaStatus(
        id=task.id,
        ready=task.running,
        running=task.running,
        terminating=False,
        restarts=0,
        pending=not task.running,
        started=task.created,
        since=task.since,
        message=task.message,
    )
