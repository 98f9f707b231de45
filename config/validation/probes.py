"""Probes and hooks (v1): one action each, a port that exists, numbers that can work."""

from __future__ import annotations

from collections.abc import Iterator

from config.meta import IntOrString
from config.naming import PORT_NAME, TOKEN, shown
from config.resources.workloads import Container, HTTPGetAction, Lifecycle, LifecycleHandler, Probe
from config.suggestions import did_you_mean
from config.validation.report import ObjectReport
from config.validation.services import check_target_port


def check_probe(probe: Probe, container: Container, path: str, report: ObjectReport) -> None:
    """`path` ends in the probe's field, which is its kind."""
    where = path.rpartition(".")[0]
    actions = {"httpGet": probe.http_get, "tcpSocket": probe.tcp_socket, "exec": probe.exec, "grpc": probe.grpc}
    given = [field for field, action in actions.items() if action]
    if not given:
        fields = (f"{path}.{field}" for field in actions)
        report.error(path, "one of httpGet, tcpSocket, exec and grpc is needed", *fields)
    elif len(given) > 1:
        report.error(path, f"{' and '.join(given)} exclude each other: keep one")
    if probe.http_get:
        _check_port(probe.http_get.port, container, where, f"{path}.httpGet.port", report)
        _check_http(probe.http_get, f"{path}.httpGet", report)
    if probe.tcp_socket:
        _check_port(probe.tcp_socket.port, container, where, f"{path}.tcpSocket.port", report)
    if probe.exec and not probe.exec.command:
        report.error(f"{path}.exec.command", "a command is needed, as a list of words")
    _check_numbers(probe, path, report)


def hooks(container: Container) -> Iterator[tuple[str, LifecycleHandler]]:
    """Its hooks, each with its field of the container's lifecycle."""
    lifecycle = container.lifecycle or Lifecycle()
    for field, hook in (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop)):
        if hook:
            yield field, hook


def check_hook(hook: LifecycleHandler, container: Container, path: str, report: ObjectReport) -> None:
    """`path` ends in the hook's field of the container's lifecycle."""
    where = path.rpartition(".lifecycle")[0]
    actions = {"exec": hook.exec, "httpGet": hook.http_get, "sleep": hook.sleep}
    given = [field for field, action in actions.items() if action]
    if not given:
        report.error(path, "one of exec, httpGet and sleep is needed", *(f"{path}.{field}" for field in actions))
    elif len(given) > 1:
        report.error(path, f"{' and '.join(given)} exclude each other: keep one")
    if hook.http_get:
        _check_port(hook.http_get.port, container, where, f"{path}.httpGet.port", report)
        _check_http(hook.http_get, f"{path}.httpGet", report)
    if hook.exec and not hook.exec.command:
        report.error(f"{path}.exec.command", "a command is needed, as a list of words")


def _check_port(port: IntOrString, container: Container, where: str, path: str, report: ObjectReport) -> None:
    """`where` is the path of the container."""
    names = {each.name for each in container.ports if each.name}
    if isinstance(port, int) or port.isdecimal() or port in names:
        check_target_port(port, path, report)
        return
    hint = did_you_mean(port, names) or (f"; it has {', '.join(sorted(names))}" if names else "; it names no ports")
    given = () if PORT_NAME.problem(port) else (f"{where}.ports.*.name",)  # else none can be called so
    report.error(path, f"container {shown(container.name)} has no port named {shown(port)}{hint}", *given)


def _check_http(action: HTTPGetAction, path: str, report: ObjectReport) -> None:
    if not action.path:
        report.error(f"{path}.path", "a path is needed; leave the field out for '/'")
    for i, header in enumerate(action.http_headers):
        report.check(f"{path}.httpHeaders[{i}].name", TOKEN.problem(header.name))
        if any(c in header.value for c in "\r\n\0"):
            report.error(f"{path}.httpHeaders[{i}].value", "a value may not contain line ends or NUL")


def _check_numbers(probe: Probe, path: str, report: ObjectReport) -> None:
    kind = path.rpartition(".")[2]
    if kind != "readinessProbe" and probe.success_threshold != 1:
        report.error(f"{path}.successThreshold", f"must be 1 for a {kind}")
    if kind == "readinessProbe" and probe.termination_grace_period_seconds is not None:
        report.error(f"{path}.terminationGracePeriodSeconds", "a readinessProbe never ends a container: remove it")
