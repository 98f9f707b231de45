"""TLS to endpoints (TrafficPolicy ``tls.reencrypt``): what the policies of Services come to.

An endpoint's certificate must be good for one name, and be signed by the authorities of a Secret or of the system.
Where these cannot be had nothing can be verified, so every handshake fails: what was to be encrypted is never sent
in the clear.  A context is made anew only when the policy or the Secret is another object.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace

import msgspec

from config.filters import ReencryptPolicy
from config.meta import Named
from config.resources.core import Secret
from config.values import secret_value
from mesh.attachment import port_policy
from mesh.plan import BackendKey, BackendPlan
from mesh.service_part import ServicePart
from mesh.status import ObjectStatus
from mesh.tls.client import Reencryption
from mesh.tls.context import client_context, untrusting_context


def part_steps(
    parts: Mapping[Named, ServicePart], secrets: Mapping[Named, Secret], previous: Mapping[Named, ServicePart]
) -> Generator[None, None, dict[Named, ServicePart]]:
    """The parts, their plans with TLS where policies ask for it.  Yields after each that has policies."""
    made = dict(parts)
    for name, part in parts.items():
        if part.policies:
            before = {plan.key: plan for plan in previous[name].plans} if name in previous else {}
            plans = tuple(_with_tls(part, plan, secrets, before.get(plan.key, plan)) for plan in part.plans)
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


def _with_tls(
    part: ServicePart, plan: BackendPlan, secrets: Mapping[Named, Secret], before: BackendPlan
) -> BackendPlan:
    port = next(port for port in part.service.spec.ports if port.key == plan.key.port)
    said = port_policy(port, part.policies).said.tls
    policy = said.reencrypt if said is not None else None
    tls = _asked(plan.key, policy, secrets, before.tls) if policy is not None else None
    if plan.tls is tls:
        return plan
    made = msgspec.structs.replace(plan, tls=tls)
    return before if before == made else made


def _asked(
    key: BackendKey, policy: ReencryptPolicy, secrets: Mapping[Named, Secret], before: Reencryption | None
) -> Reencryption:
    secret = secrets.get(Named(key.namespace, policy.ca_secret)) if policy.ca_secret else None
    if before is not None and before.policy == policy and before.secret is secret:
        return before
    return reencryption(policy, secret, policy.server_name or f"{key.service}.{key.namespace}.svc", before)


def reencryption(
    policy: ReencryptPolicy, secret: Secret | None, server_name: str, before: Reencryption | None = None
) -> Reencryption:
    """What `policy` asks for; of a `secret` that is broken now, the one `before` stays in use."""
    try:
        authorities = _authorities(policy, secret)
        context = client_context(authorities, policy.verify)
    except ValueError as error:
        problem = f"Secret {policy.ca_secret}: {error}"
        if before is not None and before.policy == policy:
            context, problem = before.context, f"{problem}; what was there before counts"
        else:
            context, problem = untrusting_context(), f"{problem}: no endpoint is trusted"
        return Reencryption(policy, secret, context, server_name, problem)
    return Reencryption(policy, secret, context, server_name)


def _authorities(policy: ReencryptPolicy, secret: Secret | None) -> bytes | None:
    if not policy.ca_secret or not policy.verify:
        return None
    if secret is None:
        raise ValueError("it does not exist")
    value = secret_value(secret, "ca.crt")
    if value is None:
        raise ValueError("it has no key ca.crt")
    return value
