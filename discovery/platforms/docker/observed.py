"""Replicas of containers that others have started, each behind the Service that its labels name.  Pure.

Such a replica has no pod labels that a selector could match; the namespace of its workload is its Service's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from config.naming import DNS_LABEL
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.docker import labels
from discovery.platforms.docker.condition import Condition
from discovery.platforms.docker.sighting import Sighting, address_of, is_inside

SHORT: int = 12
"""Of a container's id, as docker shows it."""


class Place(NamedTuple):
    """The node that the containers are on."""

    node: str = ""
    zone: str = ""
    kinds: Mapping[str, str] = {}
    """Drivers of its networks, by name."""


def replica_of(condition: Condition, place: Place, since: float) -> Replica | None:
    """The replica that a container is; None: it stands behind no Service, or cannot be dialled."""
    seen = condition.sighting
    service = labels.service_of(seen.labels)
    address = address_of(seen, seen.labels.get(labels.NETWORK, ""), place.kinds)
    if service is None or not address:
        return None
    return Replica(
        id=replica_id(seen),
        workload=WorkloadRef("Container", *service),
        labels={},
        node=place.node,
        address=address,
        ports=labels.named_ports(seen.labels),
        ready=condition.ready,
        serving=condition.serving,
        terminating=condition.ending,
        since=since,
        zone=place.zone,
        services=(service,),
        vouched=bool(seen.health),
        inside=is_inside(seen, address, place.kinds),
    )


def replica_id(seen: Sighting) -> str:
    """A name for people that no other container ever has."""
    name = seen.name[: 63 - SHORT - 1].lower().replace("_", "-").replace(".", "-").strip("-")
    return f"{name}-{seen.id[:SHORT]}" if DNS_LABEL.problem(name) is None else seen.id[:SHORT]


class Observed:
    """The replicas, each the same object until it differs."""

    def __init__(self) -> None:
        self.replicas: tuple[Replica, ...] = ()
        self._known: dict[str, Replica] = {}

    def update(self, conditions: Mapping[str, Condition], place: Place, now: float) -> None:
        """Follow what is held of the containers; `now`: Unix time."""
        known: dict[str, Replica] = {}
        for name, condition in conditions.items():
            before = self._known.get(name)
            made = replica_of(condition, place, before.since if before is not None else now)
            if made is None:
                continue
            if before is not None and made.ready != before.ready:
                made = replica_of(condition, place, now) or made
            known[name] = before if before is not None and before == made else made
        self._known = known
        self.replicas = tuple(known.values())
