"""A listing: the services and tasks of a swarm as one of its managers says, as far as anybody here wants to know.

Read from the answers to GET /services and GET /tasks (Engine API 1.41).  Only tasks that Swarm wants to run are asked
for: one that is no longer among them is about to end, or has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from config.meta import Named
from discovery.platforms.swarm.labels import PublishedPort, name_of

TASK_STATES = ("running", "ready", "complete")
"""Desired states of tasks that are wanted: ``ready`` until an old one has ended, ``complete`` of a job."""


class SwarmService(msgspec.Struct, frozen=True):
    id: str
    name: str
    """In the swarm."""
    named: Named | None
    """Here; None: that is no name."""
    labels: Mapping[str, str]
    replicas: int | None
    """None: as many as there are nodes for it."""
    requests: Mapping[str, str]
    """Reservations of each task, as quantities by resource."""
    docker_ports: tuple[PublishedPort, ...] = ()
    """What Docker itself publishes."""


class SwarmTask(msgspec.Struct, frozen=True):
    id: str
    service: str
    """An id."""
    node: str
    """An id; empty: it has none yet."""
    state: str
    created: float
    """Unix time."""
    since: float
    """Unix time of the last change of `state`."""
    message: str = ""

    @property
    def running(self) -> bool:
        """Its container runs, and is healthy if it can tell."""
        return self.state == "running"


class Listing(NamedTuple):
    services: Mapping[str, SwarmService]
    """By id."""
    tasks: Mapping[str, SwarmTask]
    """Those that are wanted, by id."""


class _Ports(msgspec.Struct):
    protocol: str = msgspec.field(default="tcp", name="Protocol")
    target: int = msgspec.field(default=0, name="TargetPort")
    published: int = msgspec.field(default=0, name="PublishedPort")


class _Endpoint(msgspec.Struct):
    ports: list[_Ports] | None = msgspec.field(default=None, name="Ports")


class _Reservations(msgspec.Struct):
    processors: int = msgspec.field(default=0, name="NanoCPUs")
    memory: int = msgspec.field(default=0, name="MemoryBytes")


class _Resources(msgspec.Struct):
    reservations: _Reservations | None = msgspec.field(default=None, name="Reservations")
    limits: _Reservations | None = msgspec.field(default=None, name="Limits")


class _Template(msgspec.Struct):
    resources: _Resources | None = msgspec.field(default=None, name="Resources")


class _Replicated(msgspec.Struct):
    replicas: int = msgspec.field(default=1, name="Replicas")


class _Mode(msgspec.Struct):
    replicated: _Replicated | None = msgspec.field(default=None, name="Replicated")


class _Specification(msgspec.Struct):
    name: str = msgspec.field(name="Name")
    labels: dict[str, str] | None = msgspec.field(default=None, name="Labels")
    template: _Template = msgspec.field(default_factory=_Template, name="TaskTemplate")
    mode: _Mode = msgspec.field(default_factory=_Mode, name="Mode")
    endpoint: _Endpoint | None = msgspec.field(default=None, name="EndpointSpec")


class _Service(msgspec.Struct):
    id: str = msgspec.field(name="ID")
    spec: _Specification = msgspec.field(name="Spec")
    endpoint: _Endpoint | None = msgspec.field(default=None, name="Endpoint")


class _Status(msgspec.Struct):
    state: str = msgspec.field(default="new", name="State")
    timestamp: str = msgspec.field(default="", name="Timestamp")
    problem: str = msgspec.field(default="", name="Err")


class _Task(msgspec.Struct):
    id: str = msgspec.field(name="ID")
    created: str = msgspec.field(name="CreatedAt")
    service: str = msgspec.field(default="", name="ServiceID")
    node: str = msgspec.field(default="", name="NodeID")
    status: _Status = msgspec.field(default_factory=_Status, name="Status")


def listing(services: bytes, tasks: bytes) -> Listing:
    """Reads JSON.  Raises ValueError for answers that are none."""
    try:
        found = msgspec.json.decode(services, type=list[_Service])
        running = msgspec.json.decode(tasks, type=list[_Task])
    except msgspec.MsgspecError as error:
        raise ValueError(f"the engine says of the swarm what cannot be read: {error}") from None
    return Listing({each.id: _service(each) for each in found}, {each.id: _task(each) for each in running})


def _service(found: _Service) -> SwarmService:
    spec, labels = found.spec, found.spec.labels or {}
    replicated = spec.mode.replicated
    return SwarmService(
        id=found.id,
        name=spec.name,
        named=name_of(spec.name, labels),
        labels=labels,
        replicas=replicated.replicas if replicated is not None else None,
        requests=_requests(spec.template.resources or _Resources()),
        docker_ports=tuple(dict.fromkeys(_ports(found))),
    )


def _ports(found: _Service) -> Iterable[PublishedPort]:
    """Those given out, and those of a service that was made just now."""
    for endpoint in (found.endpoint, found.spec.endpoint):
        for port in (endpoint.ports or ()) if endpoint else ():
            if port.published:
                yield PublishedPort(port.published, port.target, port.protocol.upper())


def _requests(resources: _Resources) -> Mapping[str, str]:
    """A limit stands for a reservation that is not there, as in Kubernetes."""
    asked, limits = resources.reservations or _Reservations(), resources.limits or _Reservations()
    processors, memory = asked.processors or limits.processors, asked.memory or limits.memory
    quantities = {"cpu": f"{processors}n" if processors else "", "memory": str(memory) if memory else ""}
    return {name: quantity for name, quantity in quantities.items() if quantity}


def _task(found: _Task) -> SwarmTask:
    created = _unix(found.created)
    return SwarmTask(
        id=found.id,
        service=found.service,
        node=found.node,
        state=found.status.state,
        created=created,
        since=_unix(found.status.timestamp) or created,
        message=found.status.problem,
    )


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0
