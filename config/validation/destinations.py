"""What a TrafficPolicy names beside its target: Services that a split or a mirror sends to, a signer's Secret."""

from __future__ import annotations

from config.meta import IntOrString, Named, ObjectKey
from config.naming import shown
from config.policies import TrafficPolicy
from config.validation.index import Index, check_exists, listed, words_for_missing
from config.validation.report import ObjectReport, keyed

_UNTRUSTED = ": no endpoint is trusted, and requests are answered with 502"


def check_destinations(policy: TrafficPolicy, index: Index, report: ObjectReport) -> None:
    spec = policy.spec
    for i, part in enumerate(spec.split):
        _check_service(f"spec.split[{i}]", part.service, part.port, index, report)
    if spec.mirror:
        _check_service("spec.mirror", spec.mirror.service, spec.mirror.port, index, report)
    if spec.tls and spec.tls.reencrypt and spec.tls.reencrypt.ca_secret and spec.tls.reencrypt.verify:
        _check_ca(spec.tls.reencrypt.ca_secret, index, report)


def _check_service(path: str, name: str, port: IntOrString | None, index: Index, report: ObjectReport) -> None:
    key = ObjectKey("Service", report.key.namespace, name)
    services = index.config_set.services
    if not check_exists(key, services, index, f"{path}.service", report) or port is None:
        return
    service = services[Named(key.namespace, name)]
    ports = service.spec.ports
    if service.spec.type == "ExternalName" and not ports and str(port).isdecimal():
        return
    known = report.knows_of(key, "spec.ports.*.name", "spec.ports.*.port")
    if known and not any(str(port) in (each.name, str(each.port)) for each in ports):
        has = listed([each.name or str(each.port) for each in ports]) or "none"
        report.error(f"{path}.port", f"{report.elsewhere(key)} has no port {port}; it has {has}", f"{path}.service")


def _check_ca(name: str, index: Index, report: ObjectReport) -> None:
    path, verify = "spec.tls.reencrypt.caSecret", "spec.tls.reencrypt.verify"
    key = ObjectKey("Secret", report.key.namespace, name)
    secrets = index.config_set.secrets
    if index.is_missing(key, secrets):
        # No error, which would put the policy out of force, and so send in the clear what was to be encrypted.
        report.warning(path, f"{words_for_missing(key, secrets)}{_UNTRUSTED}", verify)
    elif Named(key.namespace, key.name) in secrets:
        secret = secrets[Named(key.namespace, key.name)]
        known = report.knows_of(key, keyed("data", "ca.crt"), keyed("stringData", "ca.crt"))
        if known and "ca.crt" not in secret.data and "ca.crt" not in secret.string_data:
            report.warning(path, f"{report.elsewhere(key)} has no key {shown('ca.crt')}{_UNTRUSTED}", verify)
