"""TrafficPolicies (weft.dev/v1): what each may say; what they attach to is checked in `references`."""

from __future__ import annotations

import re

from config.naming import DNS_SUBDOMAIN, SERVICE_PORT_NAME, TOKEN, shown
from config.policies import (
    HTTP_GROUPS,
    RetryPolicy,
    TrafficPolicy,
    TrafficPolicySpec,
    says,
)
from config.scaling import ScalingPolicy
from config.validation.balancing import check_balancing
from config.validation.filters import check_filters
from config.validation.report import ObjectReport, duplicates

_NEVER_UPGRADED = frozenset({"h2c", "http/2.0", "tls", "http/1.1"})
_OF_ENDPOINTS = (
    "protocol", "balancer", "slow_start", "health_check", "ejection", "panic", "failover", "locality", "limits",
    "proxy_protocol", "scaling",
)  # fmt: skip
"""What holds for a Service's endpoints, whichever way a request came."""


def check_policy(policy: TrafficPolicy, report: ObjectReport) -> None:
    spec = policy.spec
    _check_target(policy, report)
    for i, token in enumerate(spec.upgrades or ()):
        report.check(f"spec.upgrades[{i}]", TOKEN.problem(token))
        if token.lower() in _NEVER_UPGRADED:
            report.error(f"spec.upgrades[{i}]", f"{shown(token)} is never tunnelled: requests in it would go unseen")
    for again, first in duplicates(token.lower() for token in spec.upgrades or ()).items():
        report.error(f"spec.upgrades[{again}]", f"named before, as upgrades[{first}]", f"spec.upgrades[{first}]")
    if spec.retries:
        _check_retries(spec.retries, report)
    if spec.scaling:
        _check_scaling(spec.scaling, report)
    check_balancing(spec, report)
    check_filters(spec, report)
    _check_effect(spec, report)


def _check_target(policy: TrafficPolicy, report: ObjectReport) -> None:
    target, path = policy.spec.target_ref, "spec.targetRef"
    report.check(f"{path}.name", DNS_SUBDOMAIN.problem(target.name))
    section = target.section_name
    if not section:
        return
    problem = SERVICE_PORT_NAME.problem(section)
    if section.isdecimal():
        problem = None if 1 <= int(section) <= 65535 else f"{section} is not a port number from 1 to 65535"
    if problem:
        report.error(f"{path}.sectionName", problem)
    elif target.kind != "Service":
        message = f"an {target.kind} has no sections: only a Service's ports are sections"
        report.error(f"{path}.sectionName", message, f"{path}.kind")


def _written(path: str) -> str:
    """A field's path as it is written in files."""
    return re.sub("_(.)", lambda match: match[1].upper(), path)


def _check_retries(retries: RetryPolicy, report: ObjectReport) -> None:
    path = "spec.retries"
    for again, first in duplicates(retries.on).items():
        report.error(f"spec.retries.on[{again}]", f"named before, as on[{first}]", f"spec.retries.on[{first}]")
    if retries.attempts and not retries.on:
        words = "nothing is retried without a condition; write attempts: 0 to say so"
        report.warning(f"{path}.on", words, f"{path}.attempts")
    if retries.backoff.longest < retries.backoff.first:
        report.error(f"{path}.backoff.longest", "must be at least as long as first", f"{path}.backoff.first")


def _check_scaling(scaling: ScalingPolicy, report: ObjectReport) -> None:
    path = "spec.scaling"
    if scaling.scale_target_ref is not None:
        report.check(f"{path}.scaleTargetRef.name", DNS_SUBDOMAIN.problem(scaling.scale_target_ref.name))
    if scaling.min_replicas > scaling.max_replicas:
        message = f"{scaling.max_replicas} is less than minReplicas, {scaling.min_replicas}"
        report.error(f"{path}.maxReplicas", message, f"{path}.minReplicas")
    if not 6 <= scaling.window <= 3600:
        report.error(f"{path}.window", "must be from 6s to 1h")
    if scaling.scale_down_delay > 3600:
        report.error(f"{path}.scaleDownDelay", "must be at most 1h")


def _check_effect(spec: TrafficPolicySpec, report: ObjectReport) -> None:
    """What is said and cannot have an effect where the policy is attached."""
    if not report.knows("spec.targetRef.kind", "spec.protocol"):
        return
    groups: tuple[str, ...] = ()
    why = ""
    if spec.target_ref.kind == "Ingress":
        groups, why = _OF_ENDPOINTS, "on an Ingress: it is about a Service's endpoints, so attach it to the Service"
    elif spec.protocol == "tcp":
        groups, why = HTTP_GROUPS, "with protocol: tcp, which does not look into the bytes"
    for group in groups:
        if says(spec, group) and (group, spec.target_ref.kind) != ("retries", "Service"):
            report.warning(f"spec.{_written(group)}", f"has no effect {why}")
    if spec.target_ref.kind == "Ingress" and says(spec, "timeouts.connect"):
        report.warning("spec.timeouts.connect", f"has no effect {why}")
    if spec.target_ref.kind == "Ingress" and says(spec, "timeouts.client_head"):
        words = "has no effect on an Ingress: when a head comes it is not known yet which one it is for"
        report.warning("spec.timeouts.clientHead", words)
    if spec.target_ref.kind == "Ingress" and spec.proxy_protocol and spec.proxy_protocol.accept_from:
        words = "has no effect on an Ingress, which shares its listeners: write it in NodeConfig"
        report.warning("spec.proxyProtocol.acceptFrom", f"{words}, spec.ingress.proxyProtocol.acceptFrom")
    if spec.target_ref.kind == "Ingress" and spec.tls and spec.tls.reencrypt:
        report.warning("spec.tls.reencrypt", f"has no effect {why}")
    if spec.target_ref.kind == "Service" and spec.tls and spec.tls.https_redirect:
        words = "has no effect on a Service, whose ports have no TLS: attach it to the Ingress"
        report.warning("spec.tls.httpsRedirect", words)
    if spec.target_ref.kind == "Service" and spec.tls and spec.tls.passthrough:
        words = "has no effect on a Service, which relays TLS as it is: attach it to the Ingress"
        report.warning("spec.tls.passthrough", words)
