"""The compiler: what was written and what exists become one immutable routing table.

It is a generator that stops for breath often, so that a driver can hand the loop back in between: a table of
thousands of Services is made beside the traffic of the one before it.  Parts whose inputs are the same
objects as before are taken over, and when only endpoints changed, nothing else is looked at.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from config.configset import ConfigSet
from config.meta import Named, ObjectKey
from discovery.catalog import PortEndpoints, Snapshot
from mesh import reencryption
from mesh.attachment import by_service, policy_statuses, seniority
from mesh.backend import Backend
from mesh.entrance import Entrance, entrance_steps, ingress_statuses
from mesh.ingress_part import Resolver
from mesh.live import Live
from mesh.plan import BackendKey, BackendPlan
from mesh.policing import Policing
from mesh.service_part import ServicePart, make_part, reusing, with_endpoints
from mesh.status import ObjectStatus
from mesh.steps import run_to_end
from mesh.table import Listener, ListenerKey, RoutingTable

_NO_ENDPOINTS: PortEndpoints = {}


@dataclass(frozen=True, slots=True)
class Compiled:
    """The third frozen hand-off, with what it was made of."""

    table: RoutingTable
    statuses: Mapping[ObjectKey, ObjectStatus]
    config_set: ConfigSet
    snapshot: Snapshot
    backends: Mapping[BackendKey, Backend] = field(repr=False)
    """The live side of ``table.backends``, in the same order."""
    parts: Mapping[Named, ServicePart] = field(repr=False)
    entrance: Entrance = field(repr=False)
    touched: tuple[Named, ...] | None = None
    """The Services whose endpoints differ from the table before this one, if nothing else does."""

    def pairs(self) -> Iterator[tuple[BackendPlan, Backend]]:
        """Every plan, with the Backend that it is for."""
        return zip(self.table.backends.values(), self.backends.values(), strict=True)

    def touched_pairs(self) -> Iterator[tuple[BackendPlan, Backend]]:
        """As `pairs`, of the touched Services alone."""
        for name in self.touched or ():
            part = self.parts[name]
            yield from zip(part.plans, part.backends, strict=True)


def compile(  # noqa: A001 - the word for it; the builtin is not used here
    config_set: ConfigSet, snapshot: Snapshot, previous: Compiled | None, live: Live
) -> Compiled:
    """`compile_steps` in one go."""
    return run_to_end(compile_steps(config_set, snapshot, previous, live))


def compile_steps(
    config_set: ConfigSet, snapshot: Snapshot, previous: Compiled | None, live: Live
) -> Generator[None, None, Compiled]:
    """Compile, yielding at least once a Service or Ingress.  Changes nothing that is in force.

    `previous` is the outcome that was published last.  Backends that do not exist yet are made, and filled,
    here; those that exist are changed by `Proxy.publish`.
    """
    if previous is not None and config_set is previous.config_set:
        return (yield from _recompile_endpoints(snapshot, previous))
    parts = yield from _parts(config_set, snapshot, previous, live)
    parts = yield from reencryption.part_steps(parts, config_set, previous.parts if previous else {})
    plans: dict[BackendKey, BackendPlan] = {}
    backends: dict[BackendKey, Backend] = {}
    for part in parts.values():
        for plan, backend in zip(part.plans, part.backends, strict=True):
            plans[plan.key], backends[plan.key] = plan, backend
        yield
    resolver = Resolver(config_set.services, backends, live)
    policing = Policing(config_set, live, resolver.target)
    parts = yield from policing.part_steps(parts)
    listeners, lost = yield from _listeners(parts)
    statuses: dict[ObjectKey, ObjectStatus] = {}
    for name, part in parts.items():
        key = ObjectKey("Service", name.namespace, name.name)
        statuses[key] = _bereft(part, lost[name]) if name in lost else reencryption.with_problems(part)
        yield
    before = previous.entrance if previous else Entrance()
    entrance = yield from entrance_steps(config_set, before, resolver, policing)
    for plan, backend in (*policing.own.values(), *entrance.own()):
        plans[plan.key], backends[plan.key] = plan, backend
    taken = _open(entrance.listener, "http", listeners, parts), _open(entrance.secure, "https", listeners, parts)
    for key, status in ingress_statuses(entrance, *taken):
        statuses[key] = status
        yield
    for key, status in policy_statuses(config_set.policies, config_set.services, config_set.ingresses):
        statuses[key] = status
        yield
    generation = previous.table.generation + 1 if previous else 1
    table = RoutingTable(generation, listeners, plans)
    return Compiled(table, statuses, config_set, snapshot, backends, parts, entrance)


def _recompile_endpoints(snapshot: Snapshot, previous: Compiled) -> Generator[None, None, Compiled]:
    """The config is the same, so only the plans of Services whose endpoints changed can differ."""
    parts = dict(previous.parts)
    plans = dict(previous.table.backends)
    touched = tuple(name for name in _changed(snapshot, previous.snapshot) if name in parts)
    for name in touched:
        part = parts[name] = with_endpoints(parts[name], snapshot.services.get(name, _NO_ENDPOINTS))
        plans.update((plan.key, plan) for plan in part.plans)
        yield
    table = RoutingTable(previous.table.generation + 1, previous.table.listeners, plans)
    same = previous.statuses, previous.config_set
    return Compiled(table, *same, snapshot, previous.backends, parts, previous.entrance, touched)


def _changed(snapshot: Snapshot, before: Snapshot) -> Iterable[Named]:
    if snapshot.generation == before.generation + 1:
        return snapshot.changed
    names = snapshot.services.keys() | before.services.keys()
    return [name for name in names if snapshot.services.get(name) is not before.services.get(name)]


def _parts(
    config_set: ConfigSet, snapshot: Snapshot, previous: Compiled | None, live: Live
) -> Generator[None, None, dict[Named, ServicePart]]:
    policies = by_service(config_set.policies)
    yield
    before = previous.parts if previous else {}
    same_node = previous is not None and previous.config_set.node == config_set.node
    parts = {}
    for name, service in config_set.services.items():
        endpoints = snapshot.services.get(name, _NO_ENDPOINTS)
        attached = policies.get(name, ())
        part = before.get(name)
        if part and same_node and part.service is service and part.policies == attached:
            parts[name] = part if part.endpoints is endpoints else with_endpoints(part, endpoints)
        else:
            made = make_part(service, attached, endpoints, config_set.node, live.backend)
            parts[name] = reusing(made, part) if part else made
            yield from _fill_new(parts[name], live)
        yield
    return parts


def _fill_new(part: ServicePart, live: Live) -> Generator[None, None, None]:
    """Prepare Backends that nothing points to yet, so that publishing a large first table is short."""
    for plan, backend in zip(part.plans, part.backends, strict=True):
        if plan.key not in live.backends:
            yield from backend.prepare(plan)
            backend.apply(plan)


def _listeners(
    parts: Mapping[Named, ServicePart],
) -> Generator[None, None, tuple[dict[ListenerKey, Listener], dict[Named, list[str]]]]:
    """All listeners; of two Services that want one address the older has it, and the other's loss is told."""
    listeners: dict[ListenerKey, Listener] = {}
    owners: dict[ListenerKey, ServicePart] = {}
    lost: dict[Named, list[str]] = {}
    for part in parts.values():
        for listener in part.listeners:
            owner = owners.setdefault(listener.key, part)
            winner = part
            if owner is not part:
                winner, loser = sorted((owner, part), key=lambda claimant: seniority(claimant.service))
                lost.setdefault(_name(loser), []).append(f"{listener.key} belongs to Service {_name(winner)}")
            if winner is part:
                owners[listener.key], listeners[listener.key] = part, listener
        yield
    return listeners, lost


def _open(
    door: Listener | None, field: str, listeners: dict[ListenerKey, Listener], parts: Mapping[Named, ServicePart]
) -> str:
    """Add a listener of the entrance, unless its address is somebody else's: then this is said."""
    if door is None:
        return ""
    holder = listeners.setdefault(door.key, door)
    if holder is door:
        return ""
    owner = next((f"Service {_name(part)}" for part in parts.values() if holder in part.listeners), "spec.ingress.http")
    return f"{door.key} belongs to {owner}: give Ingresses another address, NodeConfig spec.ingress.{field}"


def _name(part: ServicePart) -> Named:
    return Named(part.service.metadata.namespace, part.service.metadata.name)


def _bereft(part: ServicePart, losses: list[str]) -> ObjectStatus:
    state = "degraded" if len(losses) < len(part.listeners) else "pending"
    return msgspec.structs.replace(part.status, state=state, reasons=(*part.status.reasons, *losses))
