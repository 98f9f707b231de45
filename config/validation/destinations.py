"""What a TrafficPolicy names beside its target: Services that a split or a mirror sends to, and who signs."""

from __future__ import annotations

from collections.abc import Mapping

from config.filters import MirrorPolicy, ReencryptPolicy, SplitTarget
from config.meta import Named, ObjectKey
from config.naming import shown
from config.policies import TrafficPolicy
from config.resources.core import ConfigMap, Secret, Service, ServicePort
from config.validation.index import Index, check_exists, listed, words_for_missing
from config.validation.report import ObjectReport, keyed

MOST_PORTS = 4
"""Missing ports that one message names."""
_UNTRUSTED = ": no endpoint is trusted, and requests are answered with 502"


def check_destinations(policy: TrafficPolicy, index: Index, report: ObjectReport) -> None:
    spec = policy.spec
    for i, part in enumerate(spec.split):
        _check_service(f"spec.split[{i}]", part, policy, index, report)
    if spec.mirror:
        _check_service("spec.mirror", spec.mirror, policy, index, report)
    if spec.tls and spec.tls.reencrypt and spec.tls.reencrypt.verify:
        _check_ca(spec.tls.reencrypt, index, report)


def _check_service(
    path: str, part: SplitTarget | MirrorPolicy, policy: TrafficPolicy, index: Index, report: ObjectReport
) -> None:
    key = ObjectKey("Service", report.key.namespace, part.service)
    services = index.config_set.services
    lost = "no copy is sent" if isinstance(part, MirrorPolicy) else "what is sent there is answered with 503"
    if not check_exists(key, services, index, f"{path}.service", report, meanwhile=lost):
        return
    service = services[Named(key.namespace, key.name)]
    if part.port is None:
        _check_same_ports(path, service, policy, index, report)
        return
    ports = service.spec.ports
    if service.spec.type == "ExternalName" and not ports and str(part.port).isdecimal():
        return
    known = report.knows_of(key, "spec.ports.*.name", "spec.ports.*.port")
    if known and not any(str(part.port) in (each.name, str(each.port)) for each in ports):
        words = f"{report.elsewhere(key)} has no port {part.port}; it has {_ports_of(service)}"
        report.error(f"{path}.port", words, f"{path}.service")


def _check_same_ports(path: str, service: Service, policy: TrafficPolicy, index: Index, report: ObjectReport) -> None:
    """Without a port that is named, traffic goes on to the port of the same name, else to that of the same number.

    Where some of the traffic finds its port there, the policy stays in force for that.
    """
    key = ObjectKey("Service", report.key.namespace, service.metadata.name)
    target = ObjectKey("Service", report.key.namespace, policy.spec.target_ref.name)
    fields = ("spec.type", "spec.ports.*.name", "spec.ports.*.port", "spec.ports.*.protocol")
    sources = _sources(policy, index)
    if (service.spec.type == "ExternalName" and not service.spec.ports) or not (
        report.knows_of(key, *fields) and report.knows_of(target, *fields)
    ):
        return
    missing = [port for port in sources if not _has_same(service, port)]
    if not missing:
        return
    wanted = " and ".join(
        f"{port.name} and no port {port.port}" if port.name else str(port.port) for port in missing[:MOST_PORTS]
    )
    words = (
        f"{report.elsewhere(key)} has no port {wanted}, as {target} has, so that what is sent there finds no"
        f" endpoint; it has {_ports_of(service)}: name one of these as port"
    )
    say = report.error if len(missing) == len(sources) else report.shortcoming
    say(f"{path}.service", words, f"{path}.port", "spec.targetRef")


def _sources(policy: TrafficPolicy, index: Index) -> list[ServicePort]:
    """The ports whose traffic is sent on: of the Service that the policy is for, or the one that it names."""
    target = policy.spec.target_ref
    service = index.config_set.services.get(Named(policy.metadata.namespace, target.name))
    if target.kind != "Service" or service is None:
        return []
    section = target.section_name
    ports = [port for port in service.spec.ports if port.protocol == "TCP"]
    return [port for port in ports if not section or section in (port.name, str(port.port))]


def _has_same(service: Service, port: ServicePort) -> bool:
    return any((port.name and port.name == each.name) or port.port == each.port for each in service.spec.ports)


def _ports_of(service: Service) -> str:
    return listed([each.name or str(each.port) for each in service.spec.ports]) or "none"


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
