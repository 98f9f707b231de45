"""Containers of a pod template: image, ports, environment, resources (v1)."""

from __future__ import annotations

import re

from config.naming import (
    DATA_KEY,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    PORT_NAME,
    PORTABLE_VARIABLE,
    VARIABLE,
    label_key,
    shown,
)
from config.quantity import parse_quantity
from config.resources.workloads import Container, EnvFromSource, EnvVar, EnvVarSource, KeySelector
from config.suggestions import did_you_mean
from config.validation.probes import check_hook, check_probe, hooks
from config.validation.report import ObjectReport, duplicates, keyed, problem_of

_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_MAP_FIELD = re.compile(r"metadata\.(?:labels|annotations)\['([^']+)'\]")
_RESOURCES = ("cpu", "memory", "ephemeral-storage")


def check_container(container: Container, path: str, report: ObjectReport) -> None:
    report.check(f"{path}.name", DNS_LABEL.problem(container.name))
    if not container.image:
        report.error(f"{path}.image", "an image is needed; NodeConfig's images say what command it is here")
    elif container.image != container.image.strip():
        report.error(f"{path}.image", f"{shown(container.image)} begins or ends with white space")
    _check_ports(container, path, report)
    for i, variable in enumerate(container.env):
        _check_variable(variable, f"{path}.env[{i}]", report)
    for again, first in duplicates(variable.name for variable in container.env).items():
        message = f"set before, by env[{first}]: this later value is used"
        report.warning(f"{path}.env[{again}].name", message, f"{path}.env[{first}].name")
    for i, source in enumerate(container.env_from):
        _check_env_from(source, f"{path}.envFrom[{i}]", report)
    _check_resources(container, f"{path}.resources", report)
    for field, probe in (
        ("readinessProbe", container.readiness_probe),
        ("livenessProbe", container.liveness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if probe:
            check_probe(probe, container, f"{path}.{field}", report)
    for field, hook in hooks(container):
        check_hook(hook, container, f"{path}.lifecycle.{field}", report)


def _check_ports(container: Container, path: str, report: ObjectReport) -> None:
    for i, port in enumerate(container.ports):
        if port.name:
            report.check(f"{path}.ports[{i}].name", PORT_NAME.problem(port.name))
    for again, first in duplicates(port.name or i for i, port in enumerate(container.ports)).items():
        message = f"same name as ports[{first}]: names are unique"
        report.error(f"{path}.ports[{again}].name", message, f"{path}.ports[{first}].name")
    for again, first in duplicates((p.protocol, p.container_port) for p in container.ports).items():
        report.warning(
            f"{path}.ports[{again}].containerPort",
            f"same protocol and port as ports[{first}]",
            *(f"{path}.ports[{i}].{field}" for i in (first, again) for field in ("containerPort", "protocol")),
        )


def _check_variable(variable: EnvVar, path: str, report: ObjectReport) -> None:
    if problem := VARIABLE.problem(variable.name):
        report.error(f"{path}.name", problem)
    elif problem := PORTABLE_VARIABLE.problem(variable.name):
        report.warning(f"{path}.name", problem)
    if variable.value_from is None:
        return
    if variable.value:
        report.error(f"{path}.valueFrom", "value and valueFrom exclude each other: remove one", f"{path}.value")
    _check_value_from(variable.value_from, f"{path}.valueFrom", report)


def _check_value_from(source: EnvVarSource, path: str, report: ObjectReport) -> None:
    given = [
        field
        for field, value in (
            ("configMapKeyRef", source.config_map_key_ref),
            ("secretKeyRef", source.secret_key_ref),
            ("fieldRef", source.field_ref),
        )
        if value
    ]
    if not given:
        message = "none of configMapKeyRef, secretKeyRef and fieldRef is given: the variable is not set"
        report.warning(path, message, path)
    elif len(given) > 1:
        report.error(path, f"{' and '.join(given)} exclude each other: keep one")
    for field, selector in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
        if selector:
            _check_key_selector(selector, f"{path}.{field}", report)
    if source.field_ref:
        _check_field(source.field_ref.field_path, f"{path}.fieldRef.fieldPath", report)


def _check_key_selector(selector: KeySelector, path: str, report: ObjectReport) -> None:
    report.check(f"{path}.name", DNS_SUBDOMAIN.problem(selector.name))
    report.check(f"{path}.key", DATA_KEY.problem(selector.key))


def _check_field(field: str, path: str, report: ObjectReport) -> None:
    if by_key := _MAP_FIELD.fullmatch(field):
        report.check(path, label_key(by_key[1]))
    elif field not in _FIELDS:
        hint = did_you_mean(field, _FIELDS) or f"; it is one of {', '.join(_FIELDS)}, metadata.labels['KEY']"
        report.error(path, f"{shown(field)} cannot be given to a container{hint}")


def _check_env_from(source: EnvFromSource, path: str, report: ObjectReport) -> None:
    references = {"configMapRef": source.config_map_ref, "secretRef": source.secret_ref}
    given = {field: reference for field, reference in references.items() if reference}
    if len(given) != 1:
        fields = (f"{path}.{field}" for field in references)
        report.error(path, "exactly one of configMapRef and secretRef is needed", *fields)
    for field, reference in given.items():
        report.check(f"{path}.{field}.name", DNS_SUBDOMAIN.problem(reference.name))
    if source.prefix:
        report.check(f"{path}.prefix", VARIABLE.problem(source.prefix))


def _check_resources(container: Container, path: str, report: ObjectReport) -> None:
    parts = {"requests": container.resources.requests, "limits": container.resources.limits}
    for field, quantities in parts.items():
        for name, text in quantities.items():
            _check_resource(name, text, keyed(f"{path}.{field}", name), report)
    for name, text in container.resources.requests.items():
        limit = container.resources.limits.get(name)
        if limit is None or problem_of(parse_quantity, text) or problem_of(parse_quantity, limit):
            continue
        if parse_quantity(text) > parse_quantity(limit):
            message = f"{text} is more than the limit, {limit}"
            report.error(keyed(f"{path}.requests", name), message, keyed(f"{path}.limits", name))


def _check_resource(name: str, text: str, path: str, report: ObjectReport) -> None:
    if "/" in name:
        report.check(path, label_key(name))
    elif name not in _RESOURCES and not name.startswith("hugepages-"):
        hint = did_you_mean(name, _RESOURCES) or "; it is cpu, memory, ephemeral-storage, hugepages-SIZE or PREFIX/NAME"
        report.error(path, f"{shown(name)} is not a resource{hint}")
    if problem := problem_of(parse_quantity, text):
        report.error(path, problem)
    elif parse_quantity(text) < 0:
        report.error(path, f"{text} is negative")
