"""``metadata``: names, namespaces, labels and annotations (meta/v1, apimachinery's rules)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from config.meta import ObjectMeta
from config.naming import DNS_LABEL, DNS_SUBDOMAIN, LABEL_VALUE, SERVICE_NAME, Rule, label_key, shown
from config.validation.report import ObjectReport, keyed


class HasMetadata(Protocol):
    """Any object."""

    @property
    def metadata(self) -> ObjectMeta: ...


ANNOTATION_BYTES = 256 * 1024

_NAME_RULES: Mapping[str, Rule] = {"Service": SERVICE_NAME, "Namespace": DNS_LABEL}


def check_metadata(metadata: ObjectMeta, report: ObjectReport) -> None:
    """What holds for the metadata of every object, by its kind."""
    _check_name(metadata.name, report)
    if metadata.namespace:
        report.check("metadata.namespace", DNS_LABEL.problem(metadata.namespace))
    check_labels(metadata.labels, "metadata.labels", report)
    check_annotations(metadata.annotations, "metadata.annotations", report)


def check_labels(labels: Mapping[str, str], path: str, report: ObjectReport) -> None:
    for key, value in labels.items():
        report.check(keyed(path, key), label_key(key))
        report.check(keyed(path, key), LABEL_VALUE.problem(value))


def check_annotations(annotations: Mapping[str, str], path: str, report: ObjectReport) -> None:
    for key in annotations:
        report.check(keyed(path, key), label_key(key.lower()))
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > ANNOTATION_BYTES:
        report.error(path, f"{size} bytes of annotations; Kubernetes takes at most {ANNOTATION_BYTES}")


def _check_name(name: str, report: ObjectReport) -> None:
    problem = _NAME_RULES.get(report.key.kind, DNS_SUBDOMAIN).problem(name)
    if problem and report.key.kind == "Service" and DNS_LABEL.problem(name) is None:
        report.warning(
            "metadata.name",
            f"{shown(name)} begins with a digit: only Kubernetes 1.34 and later take that for a Service",
        )
    else:
        report.check("metadata.name", problem)
