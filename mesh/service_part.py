"""The part of the table that one Service makes: its listeners, its backends' plans and its status.

A part depends on the Service, its policies, its endpoints and a few words of NodeConfig, and on nothing else,
so it is made again only when one of these is another object.  Whatever comes out equal is the object that
was there before, which is how later stages see that nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from msgspec import structs

from config.resources.core import Service, ServicePort
from config.settings import NodeConfigSpec
from discovery.catalog import PortEndpoints
from discovery.endpoint import Endpoint
from mesh.attachment import Policies, PortPolicy, port_policy
from mesh.backend import Backend
from mesh.locality import rules
from mesh.plan import DEFAULT_EJECTION, BackendKey, BackendPlan
from mesh.status import ObjectStatus, PortStatus, State
from mesh.table import Entry, Listener, ListenerKey, Route

T = TypeVar("T")
BackendOf = Callable[[BackendKey], Backend]


@dataclass(frozen=True, slots=True)
class ServicePart:
    service: Service
    policies: Policies
    endpoints: PortEndpoints
    plans: tuple[BackendPlan, ...]
    backends: tuple[Backend, ...]
    """Beside `plans`, one for one."""
    listeners: tuple[Listener, ...]
    status: ObjectStatus


def make_part(
    service: Service, policies: Policies, endpoints: PortEndpoints, node: NodeConfigSpec, backend_of: BackendOf
) -> ServicePart:
    reasons = list(_not_served(service))
    plans: list[BackendPlan] = []
    backends: list[Backend] = []
    listeners: list[Listener] = []
    ports: list[PortStatus] = []
    for port in _served_ports(service):
        policy = port_policy(port, policies)
        plan = _plan(service, port, policy, endpoints, node)
        backend = backend_of(plan.key)
        doors = tuple(_listeners(service, port, policy, node, backend))
        reasons += _waiting(service, port)
        plans.append(plan)
        backends.append(backend)
        listeners += doors
        ports.append(PortStatus(port.key, policy.protocol, tuple(door.key for door in doors)))
    status = ObjectStatus(_state(reasons, bool(listeners)), tuple(reasons), tuple(ports))
    return ServicePart(service, policies, endpoints, tuple(plans), tuple(backends), tuple(listeners), status)


def with_endpoints(part: ServicePart, endpoints: PortEndpoints) -> ServicePart:
    """The same part with other endpoints: nothing but plans can differ."""
    plans = tuple(
        plan if there == plan.endpoints else structs.replace(plan, endpoints=there)
        for port, plan in zip(_served_ports(part.service), part.plans, strict=True)
        for there in (endpoints.get(port.key) or external_endpoints(part.service, port.port),)
    )
    return replace(part, endpoints=endpoints, plans=plans)


def reusing(part: ServicePart, before: ServicePart) -> ServicePart:
    """`part`, made of the objects of `before` where they are equal."""
    plans = {plan.key: plan for plan in before.plans}
    listeners = {listener.key: listener for listener in before.listeners}
    return replace(
        part,
        plans=tuple(_same(plan, plans.get(plan.key)) for plan in part.plans),
        listeners=tuple(_same(listener, listeners.get(listener.key)) for listener in part.listeners),
        status=_same(part.status, before.status),
    )


def _same(new: T, old: T | None) -> T:
    return old if old is not None and new == old else new


def _state(reasons: list[str], listening: bool) -> State:
    if not reasons:
        return "accepted"
    return "degraded" if listening else "pending"


def _served_ports(service: Service) -> Iterator[ServicePort]:
    """Those with a Backend; where nothing listens for the Service itself, an Ingress may still lead to it."""
    for port in service.spec.ports:
        if port.protocol == "TCP":
            yield port


def _has_listeners(service: Service) -> bool:
    return service.spec.type != "ExternalName" and not service.headless


def _not_served(service: Service) -> Iterator[str]:
    """What the Service asks for that no listener here can give."""
    spec = service.spec
    if spec.type == "ExternalName":
        yield "ExternalName Services are not served yet"
        return
    if service.headless:
        yield "headless Services are not served yet"
        return
    if spec.external_ips:
        yield "externalIPs are not served yet"
    for port in spec.ports:
        if port.protocol != "TCP":
            yield f"port {port.key}: {port.protocol} is not served yet"


def _waiting(service: Service, port: ServicePort) -> Iterator[str]:
    """What the Service is to be given before it can be served."""
    spec = service.spec
    if not _has_listeners(service):
        return
    if not _cluster_ips(service):
        yield f"port {port.key}: waits for a clusterIP"
    node_port_wanted = spec.type == "NodePort" or (
        spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports
    )
    if node_port_wanted and not port.node_port:
        yield f"port {port.key}: waits for a nodePort"


def _cluster_ips(service: Service) -> tuple[str, ...]:
    spec = service.spec
    return spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())


def external_endpoints(service: Service, port: int) -> tuple[Endpoint, ...]:
    """The one endpoint of an ExternalName Service, whose address is a DNS name until discovery has resolved it."""
    if service.spec.type != "ExternalName":
        return ()
    return (Endpoint(service.spec.external_name.removesuffix("."), port),)


def _plan(
    service: Service, port: ServicePort, policy: PortPolicy, endpoints: PortEndpoints, node: NodeConfigSpec
) -> BackendPlan:
    said = policy.said
    return BackendPlan(
        key=BackendKey(service.metadata.namespace, service.metadata.name, port.key),
        endpoints=endpoints.get(port.key) or external_endpoints(service, port.port),
        timeouts=policy.timeouts,
        retries=policy.retries,
        upgrades=policy.upgrades,
        via=policy.via,
        balancer=policy.balancer,
        publish_not_ready=service.spec.publish_not_ready_addresses,
        rules=rules(service.spec, said, node, "internal"),
        slow_start=said.slow_start,
        ejection=said.ejection or DEFAULT_EJECTION,
        health_check=said.health_check,
        limits=said.limits,
    )


def _listeners(
    service: Service, port: ServicePort, policy: PortPolicy, node: NodeConfigSpec, backend: Backend
) -> Iterator[Listener]:
    route = Route(backend)
    for key, entry in _doors(service, port, node):
        yield Listener(key, entry, policy.protocol, route, policy.needs_http, node.connections.per_listener)


def _doors(service: Service, port: ServicePort, node: NodeConfigSpec) -> Iterator[tuple[ListenerKey, Entry]]:
    if not _has_listeners(service):
        return
    for address in _cluster_ips(service):
        yield ListenerKey(address, port.port), "ClusterIP"
    if service.spec.type != "ClusterIP" and port.node_port:
        for address in node.node_addresses:
            yield ListenerKey(address, port.node_port), "NodePort"
