"""Replicas of the tasks that run here: what the engine says of their containers, and what a manager wants of them.

Pure.  A task stands behind the Service that is called like its own, unless a label of its container names another one.
It is counted once, by its own id, whoever speaks of it.  A container that its manager does not want any more
is terminating before it gets its signal; that it ends is heard of from the engine, as of any container.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.docker import labels as own
from discovery.platforms.docker.condition import Condition
from discovery.platforms.docker.observed import Place
from discovery.platforms.docker.sighting import address_of
from discovery.platforms.swarm.labels import SERVICE_NAME, TASK, name_of

KIND = "SwarmService"
"""Of the workloads: an autoscaler's scaleTargetRef names it."""


def matters(labels: Mapping[str, str]) -> bool:
    """Whether a container with these labels is one of a task."""
    return bool(labels.get(TASK) and labels.get(SERVICE_NAME))


def replica_of(condition: Condition, place: Place, since: float) -> Replica | None:
    """The replica that a task's container is; None: it cannot be dialled, or its service has no name here."""
    seen = condition.sighting
    name = name_of(seen.labels[SERVICE_NAME], seen.labels)
    address = address_of(seen, seen.labels.get(own.NETWORK, ""), place.kinds)
    if name is None or not address:
        return None
    service = own.service_of(seen.labels) or name
    return Replica(
        id=seen.labels[TASK],
        workload=WorkloadRef(KIND, *name),
        labels=dict(seen.labels),
        node=place.node,
        address=address,
        ports=own.named_ports(seen.labels),
        ready=condition.ready,
        serving=condition.serving,
        terminating=condition.ending,
        since=since,
        zone=place.zone,
        services=(service,),
        vouched=bool(seen.health),
        inside=True,
    )


class Tasks:
    """The replicas, each the same object until it differs."""

    def __init__(self) -> None:
        self.replicas: tuple[Replica, ...] = ()
        self.containers: dict[str, str] = {}
        """By task."""
        self._known: dict[str, Replica] = {}

    def update(self, conditions: Mapping[str, Condition], unwanted: Collection[str], place: Place, now: float) -> None:
        """Follow what is held of containers; `unwanted`: tasks that are to end; `now`: Unix time."""
        known: dict[str, Replica] = {}
        self.containers = {}
        for container, condition in conditions.items():
            made = replica_of(condition, place, now)
            if made is None:
                continue
            if made.id in unwanted:
                made = replace(made, ready=False, terminating=True)
            before = self._known.get(made.id)
            if before is not None and before.ready == made.ready:
                made = replace(made, since=before.since)
            known[made.id] = before if before is not None and before == made else made
            self.containers[made.id] = container
        self._known = known
        self.replicas = tuple(known.values())
