"""Which TrafficPolicies hold for which Service port, and what they come to together.

A policy of a port (``sectionName``) wins over the policy of its Service, field group by field group.  Of two
policies with the same target the older one holds (then the first by name), and the other's status names it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from config.balancing import BalancerPolicy
from config.meta import Named, ObjectKey
from config.policies import (
    HTTP_GROUPS,
    UNSAID,
    RetryPolicy,
    TimeoutPolicy,
    TrafficPolicy,
    TrafficPolicySpec,
    merged,
    says,
)
from config.resources.core import Service, ServicePort
from mesh.protocols import app_protocol
from mesh.status import ACCEPTED, ObjectStatus
from mesh.table import AppProtocol

Policies = tuple[TrafficPolicy, ...]
"""Those of one Service, in order of authority."""


@dataclass(frozen=True, slots=True)
class PortPolicy:
    """What holds for one Service port; what no policy says has its default."""

    protocol: AppProtocol
    needs_http: bool
    """Something was asked for that only HTTP can have."""
    balancer: BalancerPolicy
    timeouts: TimeoutPolicy
    retries: RetryPolicy
    upgrades: frozenset[bytes]
    via: bool
    said: TrafficPolicySpec = UNSAID
    """All that the policies say together, group by group."""


def by_service(policies: Mapping[Named, TrafficPolicy]) -> dict[Named, Policies]:
    """Service to the policies that name it, the older ones first."""
    return by_target("Service", policies)


def by_target(kind: Literal["Service", "Ingress"], policies: Mapping[Named, TrafficPolicy]) -> dict[Named, Policies]:
    """Service or Ingress to the policies that name it, the older ones first."""
    found: dict[Named, list[TrafficPolicy]] = {}
    for policy in policies.values():
        target = policy.spec.target_ref
        if target.kind == kind:
            found.setdefault(Named(policy.metadata.namespace, target.name), []).append(policy)
    return {name: tuple(sorted(group, key=seniority)) for name, group in found.items()}


def seniority(thing: TrafficPolicy | Service) -> tuple[bool, str, str, str]:
    """A sort key: the oldest first, those without a timestamp last, then by namespace and name."""
    meta = thing.metadata
    return (not meta.creation_timestamp, meta.creation_timestamp, meta.namespace, meta.name)


def port_policy(port: ServicePort, policies: Policies) -> PortPolicy:
    """What `policies`, those of the Service, come to for `port`."""
    if not policies:
        return _UNGOVERNED[app_protocol(port)]
    specs = [policy.spec for policy in policies]
    of_port = [spec for spec in specs if _names(spec.target_ref.section_name, port)][:1]
    of_service = [spec for spec in specs if not spec.target_ref.section_name][:1]
    return _merged(port, of_port + of_service)


def _names(section: str, port: ServicePort) -> bool:
    return bool(section) and section in (port.name, str(port.port))


def _merged(port: ServicePort, specs: list[TrafficPolicySpec]) -> PortPolicy:
    said = merged(specs)
    timeouts, default = said.timeouts or TimeoutPolicy(), TimeoutPolicy()
    of_http = ("client_head", "response_head", "request")
    return PortPolicy(
        protocol=app_protocol(port, said.protocol),
        needs_http=(
            any(says(said, group) for group in HTTP_GROUPS)
            or (said.tls is not None and said.tls.reencrypt is not None)
            or any(getattr(timeouts, field) != getattr(default, field) for field in of_http)
        ),
        balancer=said.balancer or BalancerPolicy(),
        timeouts=timeouts,
        retries=said.retries or RetryPolicy(),
        upgrades=upgrade_tokens(said),
        via=True if said.via is None else said.via,
        said=said,
    )


def upgrade_tokens(said: TrafficPolicySpec) -> frozenset[bytes]:
    """The protocols that may be switched to, lower case."""
    return frozenset({b"websocket"} if said.upgrades is None else {each.lower().encode() for each in said.upgrades})


_UNGOVERNED: Mapping[AppProtocol, PortPolicy] = {
    protocol: PortPolicy(
        protocol, False, BalancerPolicy(), TimeoutPolicy(), RetryPolicy(), frozenset({b"websocket"}), True
    )
    for protocol in get_args(AppProtocol)
}
"""What holds without a policy: the same few objects for thousands of ports."""


def policy_statuses(
    policies: Mapping[Named, TrafficPolicy], services: Mapping[Named, Service], ingresses: Collection[Named] = ()
) -> Iterable[tuple[ObjectKey, ObjectStatus]]:
    """What became of each policy."""
    holders: dict[tuple[str, str, str, str], TrafficPolicy] = {}
    for policy in sorted(policies.values(), key=seniority):
        key = ObjectKey("TrafficPolicy", policy.metadata.namespace, policy.metadata.name)
        holder = holders.setdefault(_claim(policy, services), policy)
        if holder is policy:
            yield key, _target_status(policy, services, ingresses)
        else:
            reason = f"TrafficPolicy {holder.metadata.name} has the same target and holds"
            yield key, ObjectStatus("pending", (reason,))


def _claim(policy: TrafficPolicy, services: Mapping[Named, Service]) -> tuple[str, str, str, str]:
    """What the policy is about; the same whether it names a port by name or by number."""
    target = policy.spec.target_ref
    section, service = target.section_name, services.get(Named(policy.metadata.namespace, target.name))
    if service:
        section = next((port.key for port in service.spec.ports if _names(section, port)), section)
    return (target.kind, policy.metadata.namespace, target.name, section)


def _target_status(
    policy: TrafficPolicy, services: Mapping[Named, Service], ingresses: Collection[Named]
) -> ObjectStatus:
    target = policy.spec.target_ref
    if target.kind == "Ingress":
        there = Named(policy.metadata.namespace, target.name) in ingresses
        return ACCEPTED if there else ObjectStatus("pending", (f"there is no Ingress {target.name}",))
    service = services.get(Named(policy.metadata.namespace, target.name))
    if service is None:
        return ObjectStatus("pending", (f"there is no Service {target.name}",))
    section = target.section_name
    if section and not any(_names(section, port) for port in service.spec.ports):
        return ObjectStatus("pending", (f"Service {target.name} has no port {section}",))
    return ACCEPTED
