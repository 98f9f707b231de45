"""ExternalName Services as places that traffic goes to: which of them anything leads to, and by which ports.

Kubernetes lets them declare no ports, so that an Ingress or a policy which leads to one says what port is meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.policies import TrafficPolicy
from config.resources.core import Service, ServicePort
from config.resources.networking import Ingress, IngressServiceBackend


def led_to(config_set: ConfigSet) -> Mapping[Named, frozenset[int]]:
    """The ExternalName Services that an Ingress, a split or a mirror leads to, with the port numbers that these say."""
    found: dict[Named, set[int]] = defaultdict(set)
    for ingress in config_set.ingresses.values():
        for backend in _backends(ingress):
            found[Named(ingress.metadata.namespace, backend.name)].add(backend.port.number or 0)
    for policy in config_set.policies.values():
        for service, port in _targets(policy):
            numbers = _own_ports(policy, config_set) if port is None else (_number(port),)
            found[Named(policy.metadata.namespace, service)].update(numbers)
    services = config_set.services
    return {
        name: frozenset(numbers) - {0}
        for name, numbers in found.items()
        if name in services and services[name].spec.type == "ExternalName"
    }


def with_ports(config_set: ConfigSet) -> dict[Named, Service]:
    """The Services of `led_to` that declare no ports, with those that are meant."""
    made = {}
    for name, numbers in led_to(config_set).items():
        service = config_set.services[name]
        if numbers and not service.spec.ports:
            ports = tuple(ServicePort(number) for number in sorted(numbers))
            made[name] = replace(service, spec=replace(service.spec, ports=ports))
    return made


def _backends(ingress: Ingress) -> Iterator[IngressServiceBackend]:
    paths = (path.backend for rule in ingress.spec.rules if rule.http for path in rule.http.paths)
    for backend in (ingress.spec.default_backend, *paths):
        if backend and backend.service:
            yield backend.service


def _targets(policy: TrafficPolicy) -> Iterator[tuple[str, int | str | None]]:
    spec = policy.spec
    for target in (*spec.split, *((spec.mirror,) if spec.mirror else ())):
        yield target.service, target.port


def _number(port: int | str) -> int:
    """0 for a name: what declares no ports has none of that name."""
    return int(port) if isinstance(port, int) or port.isdecimal() else 0


def _own_ports(policy: TrafficPolicy, config_set: ConfigSet) -> Iterator[int]:
    """The ports of what the policy is attached to, one of which is meant where it says none."""
    target, namespace = policy.spec.target_ref, policy.metadata.namespace
    if target.kind == "Service":
        service = config_set.services.get(Named(namespace, target.name))
        yield from (port.port for port in service.spec.ports) if service else ()
        return
    ingress = config_set.ingresses.get(Named(namespace, target.name))
    for backend in _backends(ingress) if ingress else ():
        service = config_set.services.get(Named(namespace, backend.name))
        named = (port.port for port in service.spec.ports if port.name == backend.port.name) if service else ()
        yield from (backend.port.number,) if backend.port.number else named
