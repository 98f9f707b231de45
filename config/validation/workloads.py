"""Deployments (apps/v1): selector, strategy, and what is true of the pod as a whole."""

from __future__ import annotations

import re

from config.meta import IntOrString, selects
from config.naming import DNS_LABEL, shown
from config.resources.workloads import Deployment, DeploymentStrategy, PodSpec, RollingUpdate
from config.validation.containers import check_container
from config.validation.metadata import check_annotations, check_labels
from config.validation.probes import hooks
from config.validation.report import ObjectReport, duplicates
from config.validation.selectors import check_selector, is_empty

_PERCENT = re.compile(r"(\d{1,6})%")


def check_deployment(deployment: Deployment, report: ObjectReport) -> None:
    spec = deployment.spec
    _check_selection(deployment, report)
    check_labels(spec.template.metadata.labels, "spec.template.metadata.labels", report)
    check_annotations(spec.template.metadata.annotations, "spec.template.metadata.annotations", report)
    _check_strategy(spec.strategy, report)
    if spec.progress_deadline_seconds <= spec.min_ready_seconds:
        message = f"must be more than minReadySeconds, {spec.min_ready_seconds}"
        report.error("spec.progressDeadlineSeconds", message, "spec.minReadySeconds")
    _check_pod(spec.template.spec, "spec.template.spec", report)


def _check_selection(deployment: Deployment, report: ObjectReport) -> None:
    selector, labels = deployment.spec.selector, deployment.spec.template.metadata.labels
    check_selector(selector, "spec.selector", report)
    if is_empty(selector):
        message = "an empty selector would own every pod: repeat labels of spec.template here"
        report.error("spec.selector", message, "spec.selector")
    elif not selects(selector, labels):
        report.error(
            "spec.template.metadata.labels",
            "spec.selector does not select these labels: make the two the same",
            "spec.selector",
            "spec.template.metadata.labels",
        )


def _check_strategy(strategy: DeploymentStrategy, report: ObjectReport) -> None:
    rolling, path = strategy.rolling_update, "spec.strategy.rollingUpdate"
    if strategy.type == "Recreate":
        if rolling != RollingUpdate():
            report.error(path, "has no meaning for type: Recreate: remove it", "spec.strategy.type")
        return
    surge = _share(rolling.max_surge, f"{path}.maxSurge", report)
    unavailable = _share(rolling.max_unavailable, f"{path}.maxUnavailable", report)
    if surge == 0 and unavailable == 0:
        message = "may not be 0 when maxSurge is 0: no pod could ever be replaced"
        report.error(f"{path}.maxUnavailable", message, f"{path}.maxSurge")
    if isinstance(rolling.max_unavailable, str) and unavailable is not None and unavailable > 100:
        report.error(f"{path}.maxUnavailable", f"{rolling.max_unavailable} is more than 100%")


def _share(value: IntOrString, path: str, report: ObjectReport) -> int | None:
    """The number of `value`, a count or a percentage, or None when it is neither."""
    if isinstance(value, int):
        if value >= 0:
            return value
        report.error(path, f"{value} is negative")
    elif percent := _PERCENT.fullmatch(value):
        return int(percent[1])
    else:
        report.error(path, f"{shown(value)} is neither a number nor a percentage, such as 1 or '25%'")
    return None


def _check_pod(pod: PodSpec, path: str, report: ObjectReport) -> None:
    if not pod.containers:
        report.error(f"{path}.containers", "at least one container is needed")
    for i, container in enumerate(pod.containers):
        check_container(container, f"{path}.containers[{i}]", report)
    for again, first in duplicates(container.name for container in pod.containers).items():
        message = f"same name as containers[{first}]: names are unique"
        report.error(f"{path}.containers[{again}].name", message, f"{path}.containers[{first}].name")
    _check_port_names_across(pod, path, report)
    _check_waits(pod, path, report)
    for field, text in (("hostname", pod.hostname), ("subdomain", pod.subdomain)):
        if text:
            report.check(f"{path}.{field}", DNS_LABEL.problem(text))


def _check_waits(pod: PodSpec, path: str, report: ObjectReport) -> None:
    """A hook that waits, either of them, has the time that its container has until SIGKILL, as Kubernetes demands."""
    grace = pod.termination_grace_period_seconds
    for i, container in enumerate(pod.containers):
        for field, hook in hooks(container):
            if hook.sleep and hook.sleep.seconds > grace:
                message = f"{hook.sleep.seconds} is more than terminationGracePeriodSeconds, which is {grace}"
                where = f"{path}.containers[{i}].lifecycle.{field}.sleep.seconds"
                report.error(where, message, f"{path}.terminationGracePeriodSeconds")


def _check_port_names_across(pod: PodSpec, path: str, report: ObjectReport) -> None:
    """Containers of a pod share one network: a second port of the same name is never found by it."""
    seen: dict[str, int] = {}
    for c, container in enumerate(pod.containers):
        for p, port in enumerate(container.ports):
            if port.name and seen.setdefault(port.name, c) != c:
                report.warning(
                    f"{path}.containers[{c}].ports[{p}].name",
                    f"containers[{seen[port.name]}] has a port of the same name, which is the one that is found",
                )
