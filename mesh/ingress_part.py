"""What one Ingress makes (networking.k8s.io/v1): rules that lead to the Backends of Service ports.

A Backend is that of the Service's own listeners, so both share connections, turns and counters.  What cannot be
found leads to a Backend without endpoints: its rule is met all the same and answered 503, because the path is not
unknown, and its sibling rules are served.

ImplementationSpecific paths are Prefixes here.  A ``defaultBackend`` answers what its Ingress's hosts leave unmet,
and, of the first such Ingress, what meets nothing at all.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from config.ingress_class import Verdict
from config.meta import Named
from config.resources.core import Service, ServicePort
from config.resources.networking import Ingress, IngressBackend, IngressServiceBackend
from mesh.backend import Backend
from mesh.live import Live
from mesh.plan import BackendKey, BackendPlan
from mesh.policing import Basis
from mesh.rules import Rule, rule
from mesh.steps import gather
from mesh.table import Route


class Target(NamedTuple):
    """Where a backend of an Ingress leads."""

    backend: Backend
    problem: str = ""
    """Why nothing can be there; else empty."""
    plan: BackendPlan | None = None
    """Of a Backend that is no Service port's."""


@dataclass(frozen=True, slots=True)
class IngressPart:
    ingress: Ingress
    verdict: Verdict
    services: Mapping[Named, Service | None]
    """Those that its backends name, as they were found."""
    own: tuple[tuple[BackendPlan, Backend], ...]
    """The Backends it leads to that are no Service port's."""
    rules: tuple[Rule[Route], ...]
    fallback: Rule[Route] | None
    """Its defaultBackend, for what meets no rule of any Ingress."""
    problems: tuple[str, ...]
    basis: Basis | None = None
    """What else its routes were made of; None: nothing."""

    @property
    def has_hosts(self) -> bool:
        """Whether it speaks of certain hosts, and not of all."""
        return any(each.host for each in self.ingress.spec.rules)

    @property
    def owner(self) -> str:
        return _owner(self.ingress)

    def holds(self, ingress: Ingress, verdict: Verdict, services: Mapping[Named, Service]) -> bool:
        """Whether it is still what `ingress` makes, as the Services are now."""
        return (
            self.ingress is ingress
            and self.verdict == verdict
            and all(services.get(name) is service for name, service in self.services.items())
        )


class Resolver:
    """Finds the Backends that Ingresses name; those that are no Service port's are made."""

    def __init__(self, services: Mapping[Named, Service], backends: Mapping[BackendKey, Backend], live: Live) -> None:
        """`backends` are those of the Services' parts."""
        self.services = services
        self._served = backends
        self._live = live
        self._made: dict[BackendKey, Backend] = {}
        self._routes: dict[Backend, Route] = {}

    def route(self, backend: Backend) -> Route:
        """The same one for all rules: a connection whose requests meet now this and now that rule stays on it."""
        return self._routes.get(backend) or self._routes.setdefault(backend, Route(backend))

    def target(self, namespace: str, wanted: IngressBackend) -> Target:
        if wanted.service is not None:
            return self._service_target(namespace, wanted.service)
        kind, name = (wanted.resource.kind, wanted.resource.name) if wanted.resource else ("resource", "")
        return self._nothing(BackendKey(namespace, f"{kind}/{name}", ""), f"a {kind} cannot be served")

    def own(self, plan: BackendPlan, problem: str = "") -> Target:
        """The Backend of a plan that no Service makes; the same one for all who ask."""
        made = self._made.get(plan.key)
        if made is None:
            made = self._made[plan.key] = self._live.backend(plan.key)
            if plan.key not in self._live.backends:
                made.apply(plan)
        return Target(made, problem, made.plan if made.plan == plan else plan)

    def _service_target(self, namespace: str, wanted: IngressServiceBackend) -> Target:
        service = self.services.get(Named(namespace, wanted.name))
        port = wanted.port.name or str(wanted.port.number)
        key = BackendKey(namespace, wanted.name, port)
        if service is None:
            return self._nothing(key, f"there is no Service {wanted.name}")
        found = _port(service, wanted)
        if found is None:
            return self._nothing(key, f"Service {wanted.name} has no port {key.port}")
        if found.protocol != "TCP":  # the port may have a Backend, which is for others
            aside = BackendKey(namespace, wanted.name, f"{port}/{found.protocol}")
            return self._nothing(aside, f"port {port} of Service {wanted.name} is {found.protocol}, not TCP")
        return Target(self._served[BackendKey(namespace, wanted.name, found.key)])

    def _nothing(self, key: BackendKey, problem: str) -> Target:
        return self.own(BackendPlan(key, (), nowhere=True), problem)


def _port(service: Service, wanted: IngressServiceBackend) -> ServicePort | None:
    """The port by name or by number; of several with one number, the one over TCP."""
    name, number = wanted.port.name, wanted.port.number
    found = [port for port in service.spec.ports if (port.name == name if name else port.port == number)]
    return next((port for port in found if port.protocol == "TCP"), found[0] if found else None)


def _backends(ingress: Ingress) -> Iterator[tuple[str, IngressBackend]]:
    """All backends, with the fields that hold them; the default one first."""
    if ingress.spec.default_backend:
        yield "spec.defaultBackend", ingress.spec.default_backend
    for i, each in enumerate(ingress.spec.rules):
        for p, path in enumerate(each.http.paths if each.http else ()):
            yield f"spec.rules[{i}].http.paths[{p}].backend", path.backend


def part_steps(ingress: Ingress, verdict: Verdict, resolver: Resolver) -> Generator[None, None, IngressPart]:
    """The rules of an Ingress that is served; one that is not has none."""
    if not verdict.served:
        return IngressPart(ingress, verdict, {}, (), (), None, ())
    namespace, owner = ingress.metadata.namespace, _owner(ingress)
    wanted = tuple(_backends(ingress))
    targets = yield from gather(resolver.target(namespace, backend) for _, backend in wanted)
    routes = [resolver.route(target.backend) for target in targets]
    default = routes.pop(0) if ingress.spec.default_backend else None
    names = {Named(namespace, backend.service.name) for _, backend in wanted if backend.service}
    rules = yield from gather(_path_rules(ingress, routes, default, owner))
    own = {target.plan.key: (target.plan, target.backend) for target in targets if target.plan}
    return IngressPart(
        ingress=ingress,
        verdict=verdict,
        services={name: resolver.services.get(name) for name in names},
        own=tuple(own.values()),
        rules=(*rules, *_default_rules(ingress, default, owner)),
        fallback=rule("", "", "Default", owner, default) if default else None,
        problems=tuple(
            _problems(ingress, [(place, target) for (place, _), target in zip(wanted, targets, strict=True)])
        ),
    )


def _owner(ingress: Ingress) -> str:
    return f"Ingress {ingress.metadata.namespace}/{ingress.metadata.name}"


def _path_rules(ingress: Ingress, routes: list[Route], default: Route | None, owner: str) -> Iterator[Rule[Route]]:
    following = iter(routes)
    for each in ingress.spec.rules:
        for path in each.http.paths if each.http else ():
            kind = "Exact" if path.path_type == "Exact" else "Prefix"
            yield rule(each.host, path.path or "/", kind, owner, next(following))  # type: ignore[arg-type]
        if each.http is None and default:
            yield rule(each.host, "/", "Prefix", owner, default)


def _default_rules(ingress: Ingress, default: Route | None, owner: str) -> Iterator[Rule[Route]]:
    if default:
        for host in dict.fromkeys(each.host for each in ingress.spec.rules if each.host):
            yield rule(host, "", "Default", owner, default)


def _problems(ingress: Ingress, targets: Iterable[tuple[str, Target]]) -> Iterator[str]:
    """What is wrong with `targets`, which come with their places, and with rules that lead nowhere."""
    for place, target in targets:
        if target.problem:
            yield f"{place}: {target.problem}: requests are answered with 503"
    for i, each in enumerate(ingress.spec.rules):
        if each.http is None and not ingress.spec.default_backend:
            yield f"spec.rules[{i}]: host {each.host or '*'} has neither paths nor a defaultBackend"
