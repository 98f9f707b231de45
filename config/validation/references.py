"""What objects say about other objects: Services that exist, ports by their names, keys of Secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from config.configset import ConfigSet
from config.dns_source import is_from_dns
from config.meta import Named, ObjectKey
from config.naming import DNS_SUBDOMAIN, shown
from config.policies import TrafficPolicy
from config.resources.autoscaling import HorizontalPodAutoscaler
from config.resources.core import SERVICE_NAME_LABEL, ConfigMap, EndpointSlice, Secret, Service, ServicePort
from config.resources.networking import OWN_CLASS, Ingress, IngressBackend, IngressServiceBackend
from config.resources.workloads import Container, Deployment, KeySelector
from config.suggestions import did_you_mean
from config.validation.destinations import check_destinations
from config.validation.index import Index, check_exists, listed, words_for_missing
from config.validation.ingresses import CLASS_FIELDS
from config.validation.node_secrets import check_node_secrets
from config.validation.report import ObjectReport, Report, keyed
from config.validation.scaling import check_scaled

T = TypeVar("T")
_PORTS = "spec.template.spec.containers.*.ports.*"


def check_references(objects: ConfigSet, index: Index, report: Report) -> None:
    """All faults of what `objects` say about those of the index."""
    _each("Service", objects.services, _check_service, index, report)
    _each("EndpointSlice", objects.endpoint_slices, _check_slice, index, report)
    _each("Ingress", objects.ingresses, _check_ingress, index, report)
    _each("Deployment", objects.deployments, _check_deployment, index, report)
    _each("HorizontalPodAutoscaler", objects.autoscalers, _check_autoscaler, index, report)
    _each("TrafficPolicy", objects.policies, _check_policy, index, report)
    _each("TrafficPolicy", objects.policies, check_destinations, index, report)
    _each("TrafficPolicy", objects.policies, check_scaled, index, report)
    check_node_secrets(objects, index, report)


def _each(
    kind: str,
    objects: dict[Named, T],
    check: Callable[[T, Index, ObjectReport], None],
    index: Index,
    report: Report,
) -> None:
    for named, item in objects.items():
        about = report.of(ObjectKey(kind, *named))
        if about.knows("metadata.namespace"):  # else nobody knows where to look for what it names
            check(item, index, about)


def _check_service(service: Service, index: Index, report: ObjectReport) -> None:
    spec, namespace = service.spec, report.key.namespace
    if spec.type == "ExternalName" or is_from_dns(service):
        return
    named = Named(namespace, report.key.name)
    if not index.knows_pods(namespace) or not report.knows("spec.selector"):
        return
    selected = index.selected(namespace, spec.selector)
    if selected and not spec.external_name:
        for i, port in enumerate(spec.ports):
            _check_target_port(port, selected, f"spec.ports[{i}]", report)
    elif (
        not selected
        and report.knows("metadata.name", "spec.type")
        and named not in index.services_with_endpoints
        and index.knows_endpoints(named)
    ):
        _warn_of_no_endpoints(service, index, report)


def _warn_of_no_endpoints(service: Service, index: Index, report: ObjectReport) -> None:
    selector, namespace = service.spec.selector, report.key.namespace
    if not selector:
        if {*index.config_set.node.platforms} <= {"process"}:  # else labels of containers may name the Service
            message = "no selector, and no EndpointSlice or Endpoints belongs to it: the Service has no endpoints"
            report.warning("spec", message)
        return
    labels = ", ".join(f"{key}={value}" for key, value in selector.items())
    hint = index.nearest_label(namespace, selector)
    report.warning(
        "spec.selector",
        f"matches nothing: the pods of no Deployment in namespace {shown(namespace)} have the labels {labels}{hint}",
    )


def _check_target_port(
    port: ServicePort, selected: Mapping[ObjectKey, Deployment], where: str, report: ObjectReport
) -> None:
    path, given = f"{where}.targetPort", [f"{where}.protocol"]
    about = "protocol", "name" if isinstance(port.target_port, str) else "containerPort"
    if not all(report.knows_of(key, *(f"{_PORTS}.{field}" for field in about)) for key in selected):
        return
    declared = [
        (each.name, each.container_port)
        for deployment in selected.values()
        for container in deployment.spec.template.spec.containers
        for each in container.ports
        if each.protocol == port.protocol
    ]
    who = " or ".join(f"Deployment {shown(key.name)}" for key in list(selected)[:3])
    if isinstance(port.target_port, str):
        names = {name for name, _ in declared if name}
        if port.target_port not in names and not port.target_port.isdecimal():
            offered = f"; they have {listed(names)}" if names else "; they name none"
            hint = did_you_mean(port.target_port, names) or offered
            report.error(
                path,
                f"no container of {who} has a {port.protocol} port named {shown(port.target_port)}{hint}",
                *given,
            )
        return
    number = port.target_port or port.port
    if port.target_port in {None, port.port}:  # the one stands for the other
        given.append(f"{where}.port")
    if declared and number not in {each for _, each in declared}:
        numbers = listed(str(each) for _, each in declared)
        report.warning(
            path, f"no container of {who} declares the containerPort {number}; they declare {numbers}", *given
        )


def _check_slice(item: EndpointSlice, index: Index, report: ObjectReport) -> None:
    name = item.metadata.labels.get(SERVICE_NAME_LABEL)
    key = ObjectKey("Service", report.key.namespace, name or "")
    services = index.config_set.services
    if name and index.is_missing(key, services):
        report.warning(keyed("metadata.labels", SERVICE_NAME_LABEL), words_for_missing(key, services))


def _check_ingress(ingress: Ingress, index: Index, report: ObjectReport) -> None:
    for path, backend in _backends(ingress):
        if backend.service:
            _check_backend(backend.service, f"{path}.service", index, report)
    secrets = index.config_set.secrets
    for i, tls in enumerate(ingress.spec.tls):
        if tls.secret_name:
            path, key = f"spec.tls[{i}].secretName", ObjectKey("Secret", report.key.namespace, tls.secret_name)
            if index.is_missing(key, secrets):
                report.warning(path, words_for_missing(key, secrets, _UNTRUSTED))
            elif Named(key.namespace, key.name) in secrets:
                _check_tls_secret(key, index, path, report)
    _check_class(ingress, index, report)


def _backends(ingress: Ingress) -> Iterator[tuple[str, IngressBackend]]:
    if ingress.spec.default_backend:
        yield "spec.defaultBackend", ingress.spec.default_backend
    for i, rule in enumerate(ingress.spec.rules):
        for p, path in enumerate(rule.http.paths if rule.http else ()):
            yield f"spec.rules[{i}].http.paths[{p}].backend", path.backend


def _check_backend(backend: IngressServiceBackend, path: str, index: Index, report: ObjectReport) -> None:
    key = ObjectKey("Service", report.key.namespace, backend.name)
    services = index.config_set.services
    if index.is_missing(key, services):
        if until_found := index.until_found(key):
            report.warning(f"{path}.name", words_for_missing(key, services, until_found + _UNANSWERED))
        else:
            report.shortcoming(f"{path}.name", words_for_missing(key, services, f": {_UNANSWERED}"))
    if Named(key.namespace, key.name) not in services:
        return
    service = services[Named(key.namespace, key.name)]
    wanted = backend.port.name or str(backend.port.number)
    ports = service.spec.ports
    found = any(wanted == (port.name if backend.port.name else str(port.port)) for port in ports)
    field = "name" if backend.port.name else "number"
    fields = ("name",) if backend.port.name else ("port",)
    if not found and (ports or service.spec.type != "ExternalName") and _knows_ports(service, key, fields, report):
        words = _no_such_port(key, wanted, service, report, f": {_UNANSWERED}")
        report.shortcoming(f"{path}.port.{field}", words, f"{path}.port")


def _knows_ports(service: Service, key: ObjectKey, fields: Sequence[str], report: ObjectReport) -> bool:
    """Whether these fields of all ports could be read; without ports, whether it is a Service that needs none."""
    needed = () if service.spec.ports else ("spec.type",)
    return report.knows_of(key, *(f"spec.ports.*.{field}" for field in fields), *needed)


def _no_such_port(key: ObjectKey, wanted: str, service: Service, report: ObjectReport, so: str = "") -> str:
    ports = service.spec.ports
    names = {port.name for port in ports if port.name} | {str(port.port) for port in ports}
    hint = did_you_mean(wanted, names) if not wanted.isdecimal() else ""
    has = ", ".join(f"{port.port} ({port.name})" if port.name else str(port.port) for port in ports[:8])
    return f"{report.elsewhere(key)} has no port {wanted}{so}; it has {has or 'none'}{hint}"


_UNANSWERED = "its requests are answered with 503"
"""What becomes of a rule that leads nowhere; all other rules of the Ingress are served."""
_UNTRUSTED = ": the hosts get a certificate that no client trusts"
"""What becomes of an Ingress whose Secret cannot be used; all else of it is served."""


def _check_tls_secret(key: ObjectKey, index: Index, path: str, report: ObjectReport) -> None:
    secret = index.config_set.secrets[Named(key.namespace, key.name)]
    for needed in ("tls.crt", "tls.key"):
        if needed not in secret.data and needed not in secret.string_data and _knows_key(key, needed, report):
            report.warning(path, f"{report.elsewhere(key)} has no key {shown(needed)}, which TLS needs{_UNTRUSTED}")


def _knows_key(key: ObjectKey, name: str, report: ObjectReport) -> bool:
    return report.knows_of(key, keyed("data", name), keyed("stringData", name))


def _check_class(ingress: Ingress, index: Index, report: ObjectReport) -> None:
    """Whether somebody describes the class; ``weft`` needs no IngressClass."""
    name, classes = ingress.class_name, index.config_set.ingress_classes
    if name in ("", OWN_CLASS) or DNS_SUBDOMAIN.problem(name):
        return
    key = ObjectKey("IngressClass", "", name)
    if index.is_missing(key, classes):
        words = words_for_missing(key, classes, "; weft serves the Ingress all the same")
        report.warning("spec.ingressClassName", words, *CLASS_FIELDS)


def _check_deployment(deployment: Deployment, index: Index, report: ObjectReport) -> None:
    for i, container in enumerate(deployment.spec.template.spec.containers):
        _check_environment(container, f"spec.template.spec.containers[{i}]", index, report)


def _check_environment(container: Container, path: str, index: Index, report: ObjectReport) -> None:
    for i, variable in enumerate(container.env):
        if (source := variable.value_from) is None:
            continue
        for kind, field, selector in (
            ("ConfigMap", "configMapKeyRef", source.config_map_key_ref),
            ("Secret", "secretKeyRef", source.secret_key_ref),
        ):
            if selector and selector.name and not selector.optional:
                where = f"{path}.env[{i}].valueFrom.{field}"
                key = ObjectKey(kind, report.key.namespace, selector.name)
                _check_key(key, selector, where, index, report)
    for i, each in enumerate(container.env_from):
        for kind, field, reference in (
            ("ConfigMap", "configMapRef", each.config_map_ref),
            ("Secret", "secretRef", each.secret_ref),
        ):
            if reference and reference.name and not reference.optional:
                key = ObjectKey(kind, report.key.namespace, reference.name)
                where = f"{path}.envFrom[{i}].{field}"
                check_exists(key, _known(kind, index), index, f"{where}.name", report, f"{where}.optional")


def _known(kind: str, index: Index) -> dict[Named, Secret] | dict[Named, ConfigMap]:
    return index.config_set.secrets if kind == "Secret" else index.config_set.config_maps


def _check_key(key: ObjectKey, selector: KeySelector, path: str, index: Index, report: ObjectReport) -> None:
    known, wanted, optional = _known(key.kind, index), selector.key, f"{path}.optional"
    if not check_exists(key, known, index, f"{path}.name", report, optional):
        return
    item = known[Named(key.namespace, key.name)]
    keys = {*item.data, *(item.string_data if isinstance(item, Secret) else ())}
    if wanted not in keys and _knows_key(key, wanted, report):
        hint = did_you_mean(wanted, keys) or (f"; it has {listed(keys)}" if keys else "; it is empty")
        report.error(
            f"{path}.key", f"{report.elsewhere(key)} has no key {shown(wanted)}{hint}", optional, f"{path}.name"
        )


def _check_autoscaler(item: HorizontalPodAutoscaler, index: Index, report: ObjectReport) -> None:
    target = item.spec.scale_target_ref
    _check_prometheus(item, index, report)
    if target.kind == "SwarmService":  # only a manager knows which there are
        return
    if target.kind != "Deployment":
        report.warning(
            "spec.scaleTargetRef.kind",
            f"only Deployments and SwarmServices are scaled; a {target.kind} is left as it is",
        )
        return
    key = ObjectKey("Deployment", report.key.namespace, target.name)
    deployments = index.config_set.deployments
    if not check_exists(key, deployments, index, "spec.scaleTargetRef.name", report, "spec.scaleTargetRef.kind"):
        return
    containers = deployments[Named(key.namespace, key.name)].spec.template.spec.containers
    for i, metric in enumerate(item.spec.metrics):
        if metric.container_resource:
            path = f"spec.metrics[{i}].containerResource.container"
            _check_container(metric.container_resource.container, containers, key, path, report)
        if metric.resource and metric.resource.target.type == "Utilization":
            _check_requests(metric.resource.name, containers, key, f"spec.metrics[{i}].resource", report)


def _check_prometheus(item: HorizontalPodAutoscaler, index: Index, report: ObjectReport) -> None:
    """Without a NodeConfig it is not known where this is to run."""
    node, path = index.node, "spec.autoscaler.prometheus.url"
    if not node.name or index.config_set.node.autoscaler.prometheus.url or not report.knows_of(node, path):
        return
    for i, metric in enumerate(item.spec.metrics):
        if metric.type == "External":
            message = f"nobody is asked for it: {report.elsewhere(node)} names no Prometheus in {path}"
            report.warning(f"spec.metrics[{i}].external", message, f"spec.metrics[{i}].type")


def _check_container(
    wanted: str, containers: tuple[Container, ...], key: ObjectKey, path: str, report: ObjectReport
) -> None:
    names = {container.name for container in containers}
    if wanted not in names and report.knows_of(key, "spec.template.spec.containers.*.name"):
        hint = did_you_mean(wanted, names) or f"; it has {listed(names)}"
        report.error(path, f"{report.elsewhere(key)} has no container {shown(wanted)}{hint}")


def _check_requests(
    resource: str, containers: tuple[Container, ...], key: ObjectKey, path: str, report: ObjectReport
) -> None:
    for i, container in enumerate(containers):
        where = f"spec.template.spec.containers[{i}].resources"
        parts = container.resources.requests, container.resources.limits
        if not any(resource in part for part in parts) and report.knows_of(key, where):
            who = f"container {shown(container.name)} of {report.elsewhere(key)}"
            report.warning(
                f"{path}.target",
                f"utilization is a share of the request, and {who} requests no {resource}:"
                f" add resources.requests.{resource} there",
                f"{path}.name",
                f"{path}.target.type",
            )


def _check_policy(policy: TrafficPolicy, index: Index, report: ObjectReport) -> None:
    target = policy.spec.target_ref
    key = ObjectKey(target.kind, report.key.namespace, target.name)
    objects, path = index.config_set, "spec.targetRef"
    if target.kind == "Ingress":
        check_exists(key, objects.ingresses, index, f"{path}.name", report, f"{path}.kind")
        return
    where = f"{path}.name"
    exists = check_exists(key, objects.services, index, where, report, f"{path}.kind", meanwhile="the policy rests")
    if not exists or not target.section_name:
        return
    service = objects.services[Named(key.namespace, key.name)]
    known = _knows_ports(service, key, ("name", "port"), report)
    if port_of_section(service, target.section_name) is None and known:
        words = _no_such_port(key, target.section_name, service, report)
        report.error(f"{path}.sectionName", words, f"{path}.kind", f"{path}.name")


def port_of_section(service: Service, section: str) -> ServicePort | None:
    """The port of a Service that a policy's sectionName means, by name or by number."""
    return next((port for port in service.spec.ports if section in {port.name, str(port.port)}), None)
