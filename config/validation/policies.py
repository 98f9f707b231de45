"""TrafficPolicies (weft.dev/v1): what each may say; what they attach to is checked in `references`."""

from __future__ import annotations

from config.naming import DNS_SUBDOMAIN, PORT_NAME, TOKEN, shown
from config.policies import BALANCERS_IN_FORCE, TrafficPolicy
from config.validation.report import ObjectReport, duplicates

_NEVER_UPGRADED = frozenset({"h2c", "http/2.0", "tls", "http/1.1"})


def check_policy(policy: TrafficPolicy, report: ObjectReport) -> None:
    spec = policy.spec
    _check_target(policy, report)
    if spec.balancer and spec.balancer.type not in BALANCERS_IN_FORCE:
        report.warning(
            "spec.balancer.type", f"{spec.balancer.type} is not carried out yet: RoundRobin is used in its place"
        )
    for i, token in enumerate(spec.upgrades or ()):
        report.check(f"spec.upgrades[{i}]", TOKEN.problem(token))
        if token.lower() in _NEVER_UPGRADED:
            report.error(f"spec.upgrades[{i}]", f"{shown(token)} is never tunnelled: requests in it would go unseen")
    for again, first in duplicates(token.lower() for token in spec.upgrades or ()).items():
        report.error(f"spec.upgrades[{again}]", f"named before, as upgrades[{first}]")
    if spec.retries:
        for again, first in duplicates(spec.retries.on).items():
            report.error(f"spec.retries.on[{again}]", f"named before, as on[{first}]")
        if spec.retries.attempts and not spec.retries.on:
            report.warning("spec.retries.on", "nothing is retried without a condition; write attempts: 0 to say so")
    _check_protocol(policy, report)


def _check_target(policy: TrafficPolicy, report: ObjectReport) -> None:
    target, path = policy.spec.target_ref, "spec.targetRef"
    report.check(f"{path}.name", DNS_SUBDOMAIN.problem(target.name))
    section = target.section_name
    if not section:
        return
    if target.kind != "Service":
        report.error(f"{path}.sectionName", f"an {target.kind} has no sections: only a Service's ports are sections")
    elif section.isdecimal():
        if not 1 <= int(section) <= 65535:
            report.error(f"{path}.sectionName", f"{section} is not a port number from 1 to 65535")
    else:
        report.check(f"{path}.sectionName", PORT_NAME.problem(section))


def _check_protocol(policy: TrafficPolicy, report: ObjectReport) -> None:
    spec = policy.spec
    if spec.protocol != "tcp":
        return
    for field, value in (("upgrades", spec.upgrades), ("via", spec.via)):
        if value is not None:
            report.warning(f"spec.{field}", "has no effect with protocol: tcp, which does not look into the bytes")
