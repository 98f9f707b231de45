"""Policing: the filters and the manner that routes get from TrafficPolicies.

For a Service's own listeners its policies count, those of a port before those of the Service.  For the rules of an
Ingress its own policy counts, and in what that does not say, the policies of the Service that a rule leads to.  A
group is taken whole from the first that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

from msgspec import structs

from config.addresses import parse_host_port
from config.configset import ConfigSet
from config.filters import RateLimitPolicy
from config.meta import IntOrString, Named
from config.policies import UNSAID, RetryPolicy, TimeoutPolicy, TrafficPolicySpec, merged, says
from config.resources.core import Service, ServicePort
from config.resources.networking import IngressBackend, IngressServiceBackend, ServiceBackendPort
from mesh.attachment import Policies, by_target, port_policy, upgrade_tokens
from mesh.backend import Backend
from mesh.filters.making import Where, filters_of
from mesh.filters.rate_limit import RateLimit
from mesh.live import Live
from mesh.plan import BackendKey, BackendPlan
from mesh.rules import Rule
from mesh.service_part import ServicePart
from mesh.table import Manner, Route

MANNER: Final = ("timeouts", "retries", "upgrades", "via")
"""Groups that a BackendPlan has, and a route of an Ingress whose policy says something else."""


class Found(Protocol):
    """Where the Service leads that a policy names."""

    @property
    def backend(self) -> Backend: ...
    @property
    def plan(self) -> BackendPlan | None:
        """Of a Backend that is no Service port's."""


Find = Callable[[str, IngressBackend], Found]
"""``find(namespace, wanted)``."""


class Basis(NamedTuple):
    """What the routes of an Ingress were made of, beside the Ingress and the Services."""

    policies: Policies
    https_port: int


class Policing:
    """Of one compilation."""

    def __init__(self, config_set: ConfigSet, live: Live, find: Find) -> None:
        self.live = live
        self._find = find
        self._services = config_set.services
        self._of_service = by_target("Service", config_set.policies)
        self._of_ingress = by_target("Ingress", config_set.policies)
        self._https_port = parse_host_port(config_set.node.ingress.https)[1]
        self.own: dict[BackendKey, tuple[BackendPlan, Backend]] = {}
        """The Backends that splits and mirrors lead to and that are no Service port's."""

    # -- Services

    def part_steps(self, parts: Mapping[Named, ServicePart]) -> Generator[None, None, dict[Named, ServicePart]]:
        """The parts, their listeners with filters where policies ask for them."""
        policed = {}
        for name, part in parts.items():
            policed[name] = self._part(part) if part.policies else part
            if part.policies:
                yield
        return policed

    def _part(self, part: ServicePart) -> ServicePart:
        routes: dict[BackendKey, Route] = {}
        for backend in part.backends:
            port = _port(part.service, backend.key.port)
            said = _carried(part.service, port_policy(port, part.policies).said) if port else UNSAID
            around = _Around(self, backend.key.namespace, port, str(backend.key))
            routes[backend.key] = Route(backend, filters_of(said, Where(), around, self.live.chance))
        if not any(route.filters for route in routes.values()):
            return part
        return replace(
            part,
            listeners=tuple(structs.replace(each, route=routes[each.route.backend.key]) for each in part.listeners),
        )

    # -- Ingresses

    def basis(self, ingress: Named, services: Iterable[Named]) -> Basis:
        """What the routes of an Ingress are made of whose backends are `services`."""
        policies = list(self._of_ingress.get(ingress, ()))
        for service in sorted(services):
            policies += self._of_service.get(service, ())
        return Basis(tuple(policies), self._https_port)

    def named(self, policies: Policies) -> Iterator[Named]:
        """The Services that splits and mirrors of `policies` lead to."""
        for policy in policies:
            spec = policy.spec
            for target in (*spec.split, *((spec.mirror,) if spec.mirror else ())):
                yield Named(policy.metadata.namespace, target.service)

    def rule(self, ingress: Named, rule: Rule[Route]) -> Rule[Route]:
        """A rule of `ingress`, its route with the filters and the manner that the policies ask for."""
        key = rule.to.backend.key
        service = Named(key.namespace, key.service)
        above, below = self._of_ingress.get(ingress, ()), self._of_service.get(service, ())
        if not above and not below:
            return rule
        spec = above[0].spec if above else UNSAID
        written = self._services.get(service)
        port = _port(written, key.port) if written else None
        own = port_policy(port, below).said if port else UNSAID
        said = structs.replace(merged([spec, own]), balancer=own.balancer)
        said = _carried(written, said) if written else said
        owner = f"Ingress {ingress}" if says(spec, "rate_limit") else str(key)
        secure = spec.tls is not None and spec.tls.https_redirect
        where = Where(rule.key, self._https_port if secure else 0)
        filters = filters_of(said, where, _Around(self, key.namespace, port, owner), self.live.chance)
        manner = _manner(said) if any(says(spec, group) for group in MANNER) else None
        return structs.replace(rule, to=Route(rule.to.backend, filters, manner)) if filters or manner else rule

    # -- what both lead to

    def backend(self, namespace: str, service: str, wanted: ServiceBackendPort) -> Backend:
        """The Backend that a split or a mirror leads to; one without endpoints if there is no such port."""
        found = self._find(namespace, IngressBackend(IngressServiceBackend(service, wanted)))
        if found.plan is not None:
            self.own[found.plan.key] = (found.plan, found.backend)
        return found.backend

    def has_port(self, namespace: str, service: str, name: str) -> bool:
        """Whether the Service has a port of this name."""
        written = self._services.get(Named(namespace, service))
        return written is not None and any(port.name == name for port in written.spec.ports)


@dataclass(frozen=True, slots=True)
class _Around:
    """What the filters of one route are made of beside its policies."""

    policing: Policing
    namespace: str
    port: ServicePort | None
    """The port that the route leads to."""
    owner: str
    """Who shares a rate limit."""

    def backend(self, service: str, port: IntOrString | None) -> Backend:
        return self.policing.backend(self.namespace, service, self._wanted(service, port))

    def _wanted(self, service: str, port: IntOrString | None) -> ServiceBackendPort:
        if port is None:
            own = self.port
            if own is None:
                return ServiceBackendPort()
            same = own.name and self.policing.has_port(self.namespace, service, own.name)
            return ServiceBackendPort(own.name) if same else ServiceBackendPort(number=own.port)
        if isinstance(port, int) or port.isdecimal():
            return ServiceBackendPort(number=int(port))
        return ServiceBackendPort(port)

    def rate_limit(self, policy: RateLimitPolicy) -> RateLimit:
        return self.policing.live.rate_limit(self.owner, policy)


def _carried(service: Service, said: TrafficPolicySpec) -> TrafficPolicySpec:
    """What is `said`, as far as the Service lets it: with sessionAffinity clients are known by their addresses."""
    return structs.replace(said, balancer=None) if service.spec.session_affinity == "ClientIP" else said


def _port(service: Service, key: str) -> ServicePort | None:
    return next((port for port in service.spec.ports if port.key == key), None)


def _manner(said: TrafficPolicySpec) -> Manner:
    return Manner(
        said.timeouts or TimeoutPolicy(),
        said.retries or RetryPolicy(),
        upgrade_tokens(said),
        True if said.via is None else said.via,
    )
