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

from config.balancing import BalancerPolicy, HashKey
from config.resources.core import Service, ServicePort
from config.settings import NodeConfigSpec
from discovery.catalog import PortEndpoints
from mesh.attachment import Policies, PortPolicy, port_policy
from mesh.backend import Backend
from mesh.balancing.affinity import AffinityPolicy
from mesh.locality import Side, rules
from mesh.plan import DEFAULT_EJECTION, BackendKey, BackendPlan
from mesh.service_doors import Door, Networks, doors, has_doors, health_doors, networks
from mesh.status import ObjectStatus, PortStatus, State
from mesh.table import Listener, Route

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
    remarks, reasons = tuple(_remarks(service)), list(_not_served(service))
    plans: list[BackendPlan] = []
    backends: list[Backend] = []
    listeners: list[Listener] = []
    ports: list[PortStatus] = []
    for port in _served_ports(service):
        policy = port_policy(port, policies)
        found = tuple(doors(service, port, node))
        routes: dict[Side, Route] = {}
        for plan in _plans(service, port, policy, endpoints, node):
            backend = backend_of(plan.key)
            plans.append(plan)
            backends.append(backend)
            routes[plan.key.side] = Route(backend)
        outside = routes.setdefault("external", routes["internal"])
        listeners += (_listener(door, policy, routes[door.side], node) for door in found)
        if not ports:
            listeners += (_listener(door, policy, outside, node) for door in health_doors(service, node))
        reasons += _waiting(service, port, found)
        ports.append(PortStatus(port.key, policy.protocol, tuple(door.key for door in found)))
    state = _state(reasons, bool(listeners) or not has_doors(service))
    status = ObjectStatus(state, (*remarks, *reasons), tuple(ports))
    return ServicePart(service, policies, endpoints, tuple(plans), tuple(backends), tuple(listeners), status)


def with_endpoints(part: ServicePart, endpoints: PortEndpoints) -> ServicePart:
    """The same part with other endpoints: nothing but plans can differ."""
    plans = tuple(
        plan if there == plan.endpoints else structs.replace(plan, endpoints=there)
        for plan in part.plans
        for there in (endpoints.get(plan.key.port, ()),)
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


def _state(reasons: list[str], in_force: bool) -> State:
    if not reasons:
        return "accepted"
    return "degraded" if in_force else "pending"


def _served_ports(service: Service) -> Iterator[ServicePort]:
    """Those with a Backend; where nothing listens for the Service itself, an Ingress may still lead to it."""
    for port in service.spec.ports:
        if port.protocol != "SCTP":
            yield port


def _remarks(service: Service) -> Iterator[str]:
    """What is as it should be, and may surprise."""
    if service.spec.type == "LoadBalancer" and not service.balanced:
        yield f"loadBalancerClass {service.spec.load_balancer_class} is not served here: all but the LoadBalancer is"


def _not_served(service: Service) -> Iterator[str]:
    """What the Service asks for that no listener here can give."""
    if has_doors(service):
        for port in service.spec.ports:
            if port.protocol == "SCTP":
                yield f"port {port.key}: SCTP is not carried"


def _waiting(service: Service, port: ServicePort, found: tuple[Door, ...]) -> Iterator[str]:
    """What the Service is to be given before it can be served."""
    spec = service.spec
    if not has_doors(service):
        return
    if all(door.entry != "ClusterIP" for door in found):
        yield f"port {port.key}: waits for a clusterIP"
    node_port_wanted = spec.type == "NodePort" or (
        spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports
    )
    if node_port_wanted and not port.node_port:
        yield f"port {port.key}: waits for a nodePort"


def _plans(
    service: Service, port: ServicePort, policy: PortPolicy, endpoints: PortEndpoints, node: NodeConfigSpec
) -> Iterator[BackendPlan]:
    """One for all clients; another for those from outside, if other endpoints count for them."""
    inside = _plan(service, port, policy, endpoints, node)
    yield inside
    outside = rules(service.spec, policy.said, node, "external")
    if outside != inside.rules and (service.spec.type in ("NodePort", "LoadBalancer") or service.spec.external_ips):
        yield structs.replace(inside, key=inside.key._replace(side="external"), rules=outside)


def _plan(
    service: Service, port: ServicePort, policy: PortPolicy, endpoints: PortEndpoints, node: NodeConfigSpec
) -> BackendPlan:
    said = policy.said
    return BackendPlan(
        key=BackendKey(service.metadata.namespace, service.metadata.name, port.key),
        endpoints=endpoints.get(port.key, ()),
        timeouts=policy.timeouts,
        retries=policy.retries,
        upgrades=policy.upgrades,
        via=policy.via,
        balancer=_balancer(service, policy),
        publish_not_ready=service.spec.publish_not_ready_addresses,
        rules=rules(service.spec, said, node, "internal"),
        slow_start=said.slow_start,
        ejection=said.ejection or DEFAULT_EJECTION,
        health_check=said.health_check,
        limits=said.limits,
        external=service.spec.type == "ExternalName",
        send_proxy=said.proxy_protocol.send if said.proxy_protocol else None,
    )


def _balancer(service: Service, policy: PortPolicy) -> BalancerPolicy:
    spec = service.spec
    if spec.session_affinity != "ClientIP":
        return policy.balancer
    fields = structs.asdict(policy.balancer) | {"hash": HashKey(source_address=True)}
    return AffinityPolicy(**fields, seconds=spec.session_affinity_config.client_ip.timeout_seconds)


def _listener(door: Door, policy: PortPolicy, route: Route, node: NodeConfigSpec) -> Listener:
    return Listener(
        key=door.key,
        entry=door.entry,
        protocol=policy.protocol,
        route=route,
        http_required=policy.needs_http,
        limit=node.connections.per_listener,
        sources=door.sources,
        introduced_by=_introducers(door, policy),
    )


def _introducers(door: Door, policy: PortPolicy) -> Networks:
    """Who says for whom it speaks: on connections to be balanced, and of which there is one for each client."""
    said = policy.said.proxy_protocol
    if said is None or door.entry == "HealthCheck" or door.key.transport == "UDP":
        return ()
    return networks(said.accept_from)
