"""Replicas of containers that others have started: what is held of each, and who it is.  Pure.

Who a container is (`Identity`) its labels say: those of a Docker host name a Service, those of a swarm a task.  Without
a HEALTHCHECK a container is ready from the first time that it accepts where its Service sends to, as every container
without a readiness probe is; who looks for that is told by `Observed.silent`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from config.meta import Named
from config.naming import DNS_LABEL, shown
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


def _unreached(seen: Sighting) -> str:
    if wanted := seen.labels.get(labels.NETWORK):
        return f"label {labels.NETWORK}: it has no address in a network {shown(wanted)}"
    return "it is in no network that this machine can dial, such as a bridge"


class _Made(NamedTuple):
    """What a container is as long as it is in this condition."""

    condition: Condition
    replica: Replica | None
    """As if it listened and was wanted; None: it cannot be dialled, or nobody knows it."""
    run: Run | None = None
    """None: it need not accept anywhere."""
    ports: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()
    """What is wrong with it, in words for the user."""


class Observed:
    """The replicas, each the same object until it differs."""

    def __init__(self, identify: Callable[[Sighting], Identity | None]) -> None:
        self.replicas: tuple[Replica, ...] = ()
        self.containers: dict[str, str] = {}
        """By replica."""
        self.silent: dict[Run, tuple[int, ...]] = {}
        """Those that nobody vouches for, and the ports that each is to accept at."""
        self._identify = identify
        self._place: Place | None = None
        self._made: dict[str, _Made] = {}
        """By container: of hundreds an event is about one."""
        self._known: dict[str, Replica] = {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is wrong with containers, in words for the user."""
        return tuple(remark for made in self._made.values() for remark in made.remarks)

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

        `place`: another object whenever it differs, or what containers are told by; `accepted`: runs that are known to
        listen, None: nobody looks; `unwanted`: replicas that are to end.
        """
        before = self._made if place is self._place else {}
        self._place, self._made = place, {}
        known: dict[str, Replica] = {}
        self.containers, self.silent = {}, {}
        for container, condition in conditions.items():
            made = before.get(container)
            if made is None or made.condition is not condition:
                made = self._make(condition, place, now)
            self._made[container] = made
            if (replica := made.replica) is None:
                continue
            if made.run is not None:
                self.silent[made.run] = made.ports
                if accepted is not None and made.run not in accepted:
                    replica = replace(replica, ready=False, serving=False)
            if replica.id in unwanted:
                replica = replace(replica, ready=False, terminating=True)
            known[replica.id] = self._kept(replica, now)
            self.containers[replica.id] = container
        self._known = known
        self.replicas = tuple(known.values())

    def _make(self, condition: Condition, place: Place, now: float) -> _Made:
        seen = condition.sighting
        who = self._identify(seen)
        if who is None:
            return _Made(condition, None)
        remarks = tuple(f"{seen.name}: {each}" for each in labels.faults(seen.labels))
        replica = replica_of(condition, who, place, now)
        if replica is None:
            lost = [f"{seen.name}: {_unreached(seen)}"] if who.service in place.services else []
            return _Made(condition, None, remarks=(*remarks, *lost))
        ports = () if replica.vouched else accept_ports(replica, place.services)
        run = Run(replica.id, seen.started, replica.address) if ports else None
        return _Made(condition, replica, run, ports, remarks)

    def _kept(self, replica: Replica, now: float) -> Replica:
        """The replica as it was, if nothing of it differs but the time."""
        before = self._known.get(replica.id)
        since = now if before is None or before.ready != replica.ready else before.since
        if replica.since != since:
            replica = replace(replica, since=since)
        return before if before == replica else replica
