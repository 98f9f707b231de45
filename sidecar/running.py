"""What runs in this process, as the admin server, readiness and the announcements see it.

It is only ever read from here, on the event loop that also carries the traffic.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from config.addresses import parse_host_port
from config.configset import ConfigSet
from config.meta import Named, ObjectKey
from discovery.platforms.base import ReplicasChanged, WorkloadStatus
from mesh.listener import Listeners
from mesh.proxy import Proxy
from mesh.status import ACCEPTED, ObjectStatus
from mesh.table import ListenerKey
from mesh.tls.expiry import remarks
from sidecar.doors import Door, doors, note, unbound
from sidecar.publisher import Publisher
from sidecar.readiness import Missing, missing
from sidecar.standing import Standing

NOT_YET = {
    "HorizontalPodAutoscaler": ObjectStatus("pending", ("who decides about it is the registry",)),
}
"""Kinds that are read and checked, and that nothing acts on here."""


class Runs(Protocol):
    """Whoever has replicas here."""

    async def apply(self, config_set: ConfigSet) -> None:
        """Make what runs what is written."""

    def subscribe(self, callback: ReplicasChanged) -> None:
        """Call `callback` with all replicas at once on every change."""

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        """One status per workload."""

    def desired(self, name: Named) -> int | None:
        """How many replicas there are to be of a Deployment now; None: as many as its manifest says."""

    async def close(self) -> None:
        """Drain and stop all replicas."""


@dataclass(slots=True, kw_only=True)
class Running(Standing):
    """A process that carries traffic."""

    proxy: Proxy
    publisher: Publisher
    listeners: Listeners
    platform: Runs
    asleep: Callable[[Named], str] = lambda _: ""
    """What is to be said of a Service that is scaled to zero; empty of one that is not."""
    _was_ready: bool = False

    def subscribe(self, changed: Callable[[], None]) -> None:
        self.watchers.append(changed)
        self.publisher.in_force.append(lambda _: changed())
        self.platform.subscribe(lambda _: changed())

    def doors(self) -> Iterator[Door]:
        return doors(self.proxy.table, self.listeners)

    def listens(self, named: Named) -> dict[str, list[str]]:
        listeners, states = self.proxy.table.listeners, self.listeners.states
        found: dict[str, list[str]] = {}
        for port in self.status(ObjectKey("Service", *named)).ports:
            backend = (*named, port.port)
            for key in port.listens:
                listener, state = listeners.get(key), states.get(key)
                if state and state.bound and listener and listener.route.backend.key[:3] == backend:
                    found.setdefault(port.port, []).append(str(state.bound))
        return found

    def workloads(self) -> tuple[WorkloadStatus, ...]:
        return self.platform.statuses()

    def missing(self) -> list[Missing]:
        """All that keeps this weft from being ready.

        At first that is also a table which lags behind the catalog by milliseconds: who sees the first "ready"
        and sends a request at once must be served.
        """
        found = Standing.missing(self)
        if self.draining:
            return found
        found += missing(self._unbound(), self.workloads())
        if not (found or self._was_ready or self._up_to_date()):
            found.append(Missing("routing table", "the latest endpoints are not in force yet"))
        self._was_ready = self._was_ready or not found
        return found

    def _unbound(self) -> Iterator[Door]:
        """Those that are bound nowhere; once ready, one that is just being opened is nothing to speak of."""
        for door in unbound(self.proxy.table, self.listeners):
            if not self._was_ready or ListenerKey(*parse_host_port(door.wanted)) in self.listeners.states:
                yield door

    def _up_to_date(self) -> bool:
        compiled = self.publisher.compiled
        return compiled is not None and compiled.snapshot.generation >= self.snapshot.generation

    def status(self, key: ObjectKey) -> ObjectStatus:
        """What became of an object, and of its listeners."""
        compiled = self.publisher.compiled
        status = compiled.statuses.get(key) if compiled else None
        if status is None or status.state == "accepted":
            status = self.autoscaled(key) or status or NOT_YET.get(key.kind, ACCEPTED)
        sleeping = self.asleep(Named(key.namespace, key.name)) if key.kind == "Service" else ""
        return self._told(key, status, (*self._remarks(status), *filter(None, [sleeping])))

    def _remarks(self, status: ObjectStatus) -> Iterator[str]:
        yield from remarks(status.certificates, time.time())
        for port in status.ports:
            for key in port.listens:
                state = self.listeners.states.get(key)
                if state and state.reason:
                    yield f"port {port.port}: {note(key, state)}"
