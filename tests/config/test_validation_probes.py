"""Probes: one action, a port that exists, numbers that can work."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, deployment, error, table

AT = "spec.template.spec.containers[0]"


def probe(body: str, kind: str = "readinessProbe") -> str:
    return deployment(f"{{ports: [{{name: http, containerPort: 80}}, {{containerPort: 81}}], {kind}: {body}}}")


CASES = [
    case("httpGet", probe("{httpGet: {path: /healthz, port: http}}")),
    case("httpGet by number", probe("{httpGet: {port: 9999}}")),
    case("tcpSocket", probe("{tcpSocket: {port: http}}")),
    case("exec", probe("{exec: {command: [test, -f, ready]}}")),
    case("grpc", probe("{grpc: {port: 81}}")),
    case("no action", probe("{}"), error(f"{AT}.readinessProbe", "one of httpGet")),
    case(
        "two actions",
        probe("{tcpSocket: {port: 80}, exec: {command: [a]}}"),
        error(f"{AT}.readinessProbe", "tcpSocket and exec exclude"),
    ),
    case(
        "a misspelt port",
        probe("{httpGet: {port: htp}}"),
        error(f"{AT}.readinessProbe.httpGet.port", 'did you mean "http"'),
    ),
    case(
        "no such port", probe("{tcpSocket: {port: admin}}"), error(f"{AT}.readinessProbe.tcpSocket.port", "it has http")
    ),
    case(
        "no ports at all",
        deployment("{livenessProbe: {tcpSocket: {port: admin}}}"),
        error(f"{AT}.livenessProbe.tcpSocket.port", "names no ports"),
    ),
    case("port 0", probe("{tcpSocket: {port: 0}}"), error(f"{AT}.readinessProbe.tcpSocket.port", "1 to 65535")),
    case("a quoted port", probe("{tcpSocket: {port: '80'}}"), error(f"{AT}.readinessProbe.tcpSocket.port", "quotes")),
    case("an empty command", probe("{exec: {command: []}}"), error(f"{AT}.readinessProbe.exec.command", "needed")),
    case("an empty path", probe("{httpGet: {port: 80, path: ''}}"), error(f"{AT}.readinessProbe.httpGet.path", "'/'")),
    case(
        "headers",
        probe("{httpGet: {port: 80, httpHeaders: [{name: 'a b', value: c}, {name: a, value: \"b\\r\\nc: d\"}]}}"),
        error(f"{AT}.readinessProbe.httpGet.httpHeaders[0].name", "token"),
        error(f"{AT}.readinessProbe.httpGet.httpHeaders[1].value", "line ends"),
    ),
    case("successThreshold", probe("{tcpSocket: {port: 80}, successThreshold: 3}")),
    case(
        "successThreshold of liveness",
        probe("{tcpSocket: {port: 80}, successThreshold: 2}", "livenessProbe"),
        error(f"{AT}.livenessProbe.successThreshold", "must be 1"),
    ),
    case(
        "successThreshold of startup",
        probe("{tcpSocket: {port: 80}, successThreshold: 2}", "startupProbe"),
        error(f"{AT}.startupProbe.successThreshold", "must be 1"),
    ),
    case("grace of liveness", probe("{tcpSocket: {port: 80}, terminationGracePeriodSeconds: 5}", "livenessProbe")),
    case(
        "grace of readiness",
        probe("{tcpSocket: {port: 80}, terminationGracePeriodSeconds: 5}"),
        error(f"{AT}.readinessProbe.terminationGracePeriodSeconds", "remove it"),
    ),
]


def hook(body: str, field: str = "preStop") -> str:
    return probe(f"{{{field}: {body}}}", "lifecycle")


HOOK = f"{AT}.lifecycle.preStop"
CASES += [
    case("a hook", hook("{exec: {command: [quit]}}")),
    case("a hook by HTTP", hook("{httpGet: {path: /quit, port: http}}")),
    case("a hook that waits", hook("{sleep: {seconds: 5}}")),
    case("a hook that waits as long as it may", hook("{sleep: {seconds: 30}}")),
    case(
        "a hook that waits too long",
        hook("{sleep: {seconds: 31}}"),
        error(f"{HOOK}.sleep.seconds", "31 is more than terminationGracePeriodSeconds, which is 30"),
    ),
    case("a hook without an action", hook("{}"), error(HOOK, "one of exec, httpGet and sleep is needed")),
    case("a hook with two", hook("{sleep: {seconds: 5}, exec: {command: [a]}}"), error(HOOK, "exec and sleep exclude")),
    case("a hook to nowhere", hook("{httpGet: {port: htp}}"), error(f"{HOOK}.httpGet.port", 'did you mean "http"')),
    case("a hook without a command", hook("{exec: {}}"), error(f"{HOOK}.exec.command", "needed")),
    case("a hook of the start", hook("{exec: {command: [hello]}}", "postStart")),
    case(
        "a hook of the start that waits too long",
        hook("{sleep: {seconds: 31}}", "postStart"),
        error(f"{AT}.lifecycle.postStart.sleep.seconds", "31 is more than terminationGracePeriodSeconds, which is 30"),
    ),
    case(
        "a hook of the start without an action",
        hook("{}", "postStart"),
        error(f"{AT}.lifecycle.postStart", "one of exec, httpGet and sleep is needed"),
    ),
]


@table(CASES)
def test_probes(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
