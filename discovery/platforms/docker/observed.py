"""Replicas of containers that others have started: what is held of each, and who it is.  Pure.

Who a container is (`Identity`) its labels say: those of a Docker host name a Service, those of a swarm a task.  Without
a HEALTHCHECK a container is ready from the first time that it accepts where its Service sends to, as every container
without a readiness probe is; who looks for that is told by `Observed.silent`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from config.meta import Named
from config.naming import DNS_LABEL
from config.resources.core import Service
from discovery.endpoint import Replica, WorkloadRef
from discovery.membership import ports_of, target_port
from discovery.platforms.docker import labels
from discovery.platforms.docker.condition import Condition
from discovery.platforms.docker.sighting import Sighting, address_of, is_inside

SHORT: int = 12
"""Of a container's id, as docker shows it."""


class Place(NamedTuple):
    """The node that the containers are on, and the Services in force."""

    node: str = ""
    zone: str = ""
    kinds: Mapping[str, str] = {}
    """Drivers of its networks, by name."""
    services: Mapping[Named, Service] = {}


class Identity(NamedTuple):
    """Who a container is; `id` is a name for people that no other container ever has."""

    id: str
    workload: WorkloadRef
    service: Named
    """What it stands behind."""
    labels: Mapping[str, str] = {}
    """What selectors see."""


class Run(NamedTuple):
    """One run of a replica's container, at one address."""

    replica: str
    started: str
    address: str


def identify(seen: Sighting) -> Identity | None:
    """Who a container of a Docker host is; None: it stands behind no Service.

    It has no pod labels that a selector could match; the namespace of its workload is its Service's.
    """
    service = labels.service_of(seen.labels)
    return Identity(replica_id(seen), WorkloadRef("Container", *service), service) if service is not None else None


def replica_id(seen: Sighting) -> str:
    """A name for people that no other container ever has."""
    name = seen.name[: 63 - SHORT - 1].lower().replace("_", "-").replace(".", "-").strip("-")
    return f"{name}-{seen.id[:SHORT]}" if DNS_LABEL.problem(name) is None else seen.id[:SHORT]


def replica_of(condition: Condition, who: Identity, place: Place, since: float) -> Replica | None:
    """The replica that a container is; None: it cannot be dialled."""
    seen = condition.sighting
    address = address_of(seen, seen.labels.get(labels.NETWORK, ""), place.kinds)
    if not address:
        return None
    return Replica(
        id=who.id,
        workload=who.workload,
        labels=dict(who.labels),
        node=place.node,
        address=address,
        ports=labels.named_ports(seen.labels),
        ready=condition.ready,
        serving=condition.serving,
        terminating=condition.ending,
        since=since,
        zone=place.zone,
        services=(who.service,),
        vouched=bool(seen.health),
        inside=is_inside(seen, address, place.kinds),
    )


def accept_ports(replica: Replica, services: Mapping[Named, Service]) -> tuple[int, ...]:
    """Where the Services that a replica stands behind send TCP to."""
    named = (services[name] for name in replica.services if name in services)
    ports = (target_port(replica, port) for each in named for port in ports_of(each) if port.protocol == "TCP")
    return tuple(dict.fromkeys(port for port in ports if port))


class Observed:
    """The replicas, each the same object until it differs."""

    def __init__(self, identify: Callable[[Sighting], Identity | None]) -> None:
        self.replicas: tuple[Replica, ...] = ()
        self.containers: dict[str, str] = {}
        """By replica."""
        self.silent: dict[Run, tuple[int, ...]] = {}
        """Those that nobody vouches for, and the ports that each is to accept at."""
        self._identify = identify
        self._known: dict[str, Replica] = {}

    def update(
        self,
        conditions: Mapping[str, Condition],
        place: Place,
        now: float,
        *,
        accepted: Collection[Run] | None,
        unwanted: Collection[str] = (),
    ) -> None:
        """Follow what is held of the containers; `now`: Unix time.

        `accepted`: runs that are known to listen, None: nobody looks; `unwanted`: replicas that are to end.
        """
        known: dict[str, Replica] = {}
        self.containers, self.silent = {}, {}
        for container, made in self._made(conditions, place, now, accepted):
            known[made.id] = self._kept(replace(made, ready=False, terminating=True) if made.id in unwanted else made)
            self.containers[made.id] = container
        self._known = known
        self.replicas = tuple(known.values())

    def _kept(self, made: Replica) -> Replica:
        """The replica as it was, if nothing of it differs but the time."""
        before = self._known.get(made.id)
        if before is None or before.ready != made.ready:
            return made
        made = replace(made, since=before.since)
        return before if before == made else made

    def _made(
        self, conditions: Mapping[str, Condition], place: Place, now: float, accepted: Collection[Run] | None
    ) -> Iterator[tuple[str, Replica]]:
        for container, condition in conditions.items():
            who = self._identify(condition.sighting)
            made = replica_of(condition, who, place, now) if who is not None else None
            if made is None:
                continue
            ports = () if made.vouched else accept_ports(made, place.services)
            run = Run(made.id, condition.sighting.started, made.address)
            if ports:
                self.silent[run] = ports
            listens = not ports or accepted is None or run in accepted
            yield container, made if listens else replace(made, ready=False, serving=False)
