"""TLS to endpoints (TrafficPolicy ``tls.reencrypt``): what the policies of Services come to.

An endpoint's certificate must be good for one name, and be signed by the authorities of a Secret, a ConfigMap or the
system.  Where these cannot be had nothing can be verified, so every handshake fails: what was to be encrypted is never
sent in the clear.  A context is made anew only when the policy, the Secret or the ConfigMap is another object.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace

import msgspec

from config.configset import ConfigSet
from config.filters import ReencryptPolicy
from config.meta import Named
from config.resources.core import ConfigMap, Secret
from config.values import config_map_value, secret_value
from mesh.attachment import port_policy
from mesh.plan import BackendKey, BackendPlan
from mesh.service_part import ServicePart
from mesh.status import ObjectStatus
from mesh.tls.client import Reencryption
from mesh.tls.context import client_context, untrusting_context

Signer = Secret | ConfigMap


def part_steps(
    parts: Mapping[Named, ServicePart], written: ConfigSet, previous: Mapping[Named, ServicePart]
) -> Generator[None, None, dict[Named, ServicePart]]:
    """The parts, their plans with TLS where policies ask for it.  Yields after each that has policies."""
    made = dict(parts)
    for name, part in parts.items():
        if part.policies:
            before = {plan.key: plan for plan in previous[name].plans} if name in previous else {}
            plans = tuple(_with_tls(part, plan, written, before.get(plan.key, plan)) for plan in part.plans)
            if any(new is not old for new, old in zip(plans, part.plans, strict=True)):
                made[name] = replace(part, plans=plans)
            yield
    return made


def with_problems(part: ServicePart) -> ObjectStatus:
    """The status of a part, with what is wrong with the TLS to its endpoints."""
    problems = tuple(
        f"port {plan.key.port}: {plan.tls.problem}" for plan in part.plans if plan.tls is not None and plan.tls.problem
    )
    if not problems:
        return part.status
    return msgspec.structs.replace(part.status, state="degraded", reasons=(*part.status.reasons, *problems))


def _with_tls(part: ServicePart, plan: BackendPlan, written: ConfigSet, before: BackendPlan) -> BackendPlan:
    port = next(port for port in part.service.spec.ports if port.key == plan.key.port)
    said = port_policy(port, part.policies).said.tls
    policy = said.reencrypt if said is not None else None
    tls = _asked(plan.key, policy, written, before.tls) if policy is not None else None
    if plan.tls is tls:
        return plan
    made = msgspec.structs.replace(plan, tls=tls)
    return before if before == made else made


def _asked(key: BackendKey, policy: ReencryptPolicy, written: ConfigSet, before: Reencryption | None) -> Reencryption:
    signer = _signer(key.namespace, policy, written)
    if before is not None and before.policy == policy and before.signer is signer:
        return before
    return reencryption(policy, signer, policy.server_name or f"{key.service}.{key.namespace}.svc", before)


def _signer(namespace: str, policy: ReencryptPolicy, written: ConfigSet) -> Signer | None:
    if policy.ca_secret:
        return written.secrets.get(Named(namespace, policy.ca_secret))
    return written.config_maps.get(Named(namespace, policy.ca_config_map)) if policy.ca_config_map else None


def reencryption(
    policy: ReencryptPolicy, signer: Signer | None, server_name: str, before: Reencryption | None = None
) -> Reencryption:
    """What `policy` asks for; of a `signer` that is broken now, the one `before` stays in use."""
    try:
        authorities = _authorities(policy, signer)
        context = client_context(authorities, policy.verify)
    except ValueError as error:
        where = f"Secret {policy.ca_secret}" if policy.ca_secret else f"ConfigMap {policy.ca_config_map}"
        problem = f"{where}: {error}"
        if before is not None and before.policy == policy:
            context, problem = before.context, f"{problem}; what was there before counts"
        else:
            context, problem = untrusting_context(), f"{problem}: no endpoint is trusted"
        return Reencryption(policy, signer, context, server_name, problem)
    return Reencryption(policy, signer, context, server_name)


def _authorities(policy: ReencryptPolicy, signer: Signer | None) -> bytes | None:
    if not policy.verify or not (policy.ca_secret or policy.ca_config_map):
        return None
    if signer is None:
        raise ValueError("it does not exist")
    value = secret_value(signer, "ca.crt") if isinstance(signer, Secret) else config_map_value(signer, "ca.crt")
    if value is None:
        raise ValueError("it has no key ca.crt")
    return value
