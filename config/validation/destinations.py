"""What a TrafficPolicy names beside its target: Services that a split or a mirror sends to, and who signs."""

from __future__ import annotations

from collections.abc import Mapping

from config.filters import ReencryptPolicy
from config.meta import IntOrString, Named, ObjectKey
from config.naming import shown
from config.policies import TrafficPolicy
from config.resources.core import ConfigMap, Secret
from config.validation.index import Index, check_exists, listed, words_for_missing
from config.validation.report import ObjectReport, keyed

_UNTRUSTED = ": no endpoint is trusted, and requests are answered with 502"


def check_destinations(policy: TrafficPolicy, index: Index, report: ObjectReport) -> None:
    spec = policy.spec
    for i, part in enumerate(spec.split):
        _check_service(f"spec.split[{i}]", part.service, part.port, index, report)
    if spec.mirror:
        _check_service("spec.mirror", spec.mirror.service, spec.mirror.port, index, report)
    if spec.tls and spec.tls.reencrypt and spec.tls.reencrypt.verify:
        _check_ca(spec.tls.reencrypt, index, report)


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


def _check_ca(said: ReencryptPolicy, index: Index, report: ObjectReport) -> None:
    namespace, written = report.key.namespace, index.config_set
    if said.ca_secret:
        _check_signer("caSecret", ObjectKey("Secret", namespace, said.ca_secret), written.secrets, index, report)
    elif said.ca_config_map:
        key = ObjectKey("ConfigMap", namespace, said.ca_config_map)
        _check_signer("caConfigMap", key, written.config_maps, index, report)


def _check_signer(
    field: str, key: ObjectKey, known: Mapping[Named, Secret | ConfigMap], index: Index, report: ObjectReport
) -> None:
    """No errors, which would put the policy out of force, and so send in the clear what was to be encrypted."""
    path, others = f"spec.tls.reencrypt.{field}", ("spec.tls.reencrypt.caSecret", "spec.tls.reencrypt.verify")
    signer = known.get(Named(key.namespace, key.name))
    if index.is_missing(key, known):
        report.warning(path, words_for_missing(key, known, _UNTRUSTED), *others)
    elif signer is not None:
        more, values = _more(signer)
        sure = report.knows_of(key, keyed("data", "ca.crt"), keyed(more, "ca.crt"))
        if sure and "ca.crt" not in {*signer.data, *values}:
            report.warning(path, f"{report.elsewhere(key)} has no key {shown('ca.crt')}{_UNTRUSTED}", *others)


def _more(signer: Secret | ConfigMap) -> tuple[str, Mapping[str, str]]:
    """What may hold values beside `data`."""
    return ("stringData", signer.string_data) if isinstance(signer, Secret) else ("binaryData", signer.binary_data)
