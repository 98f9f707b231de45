"""TrafficPolicies: targets, balancers, upgrades, retries."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, document, error, ingress, service, table, warning

WEB = service("{ports: [{port: 80, name: http}]}")


def policy(rest: str = "", target: str = "{kind: Service, name: web}", name: str = "web") -> str:
    return WEB + document("TrafficPolicy", f"spec: {{targetRef: {target}{rest}}}", name, "weft.dev/v1")


BALANCERS = [
    case(kind, policy(f", balancer: {{type: {kind}{rest}}}"))
    for kind, rest in (
        ("LeastRequest", ""),
        ("Random", ""),
        ("RingHash", ", hash: {header: X-User}"),
        ("Maglev", ", hash: {cookie: user}"),
        ("PeakEWMA", ""),
    )
]
CASES = [
    case("nothing", policy()),
    case(
        "the complete kind",
        policy(
            ", balancer: {type: RoundRobin}, timeouts: {connect: 1s, responseHead: 60s, idle: 60s}, "
            "retries: {attempts: 2, on: [connect-failure, refused, 503]}, protocol: http, "
            "upgrades: [websocket], via: false",
            "{kind: Service, name: web, sectionName: http}",
        ),
    ),
    case("a port by number", policy(target="{kind: Service, name: web, sectionName: '80'}")),
    case(
        "no name",
        policy(target="{kind: Service, name: W}"),
        error("spec.targetRef.name", '"w"'),
        error("spec.targetRef.name", "does not exist"),
    ),
    case(
        "a number that is none",
        policy(target="{kind: Service, name: web, sectionName: '0'}"),
        error("spec.targetRef.sectionName", "1 to 65535"),
        error("spec.targetRef.sectionName", "has no port 0"),
    ),
    case(
        "a name that is none",
        policy(target="{kind: Service, name: web, sectionName: HTTP}"),
        error("spec.targetRef.sectionName", "port name"),
        error("spec.targetRef.sectionName", "has no port HTTP"),
    ),
    case(
        "a section of an Ingress",
        ingress("{defaultBackend: {service: {name: web, port: {number: 80}}}}", "front")
        + policy(target="{kind: Ingress, name: front, sectionName: http}"),
        error("spec.targetRef.sectionName", "has no sections"),
    ),
    case("h2c", policy(", upgrades: [websocket, h2c]"), error("spec.upgrades[1]", "never tunnelled")),
    case("an upgrade that is no token", policy(", upgrades: ['a b']"), error("spec.upgrades[0]", "token")),
    case("an upgrade twice", policy(", upgrades: [websocket, WebSocket]"), error("spec.upgrades[1]", "upgrades[0]")),
    case("a condition twice", policy(", retries: {on: [reset, reset]}"), error("spec.retries.on[1]", "on[0]")),
    case("no condition", policy(", retries: {on: []}"), warning("spec.retries.on", "attempts: 0")),
    case("no attempts, no condition", policy(", retries: {attempts: 0, on: []}")),
    case(
        "HTTP words for TCP",
        policy(", protocol: tcp, upgrades: [websocket], via: true"),
        warning("spec.upgrades", "protocol: tcp"),
        warning("spec.via", "protocol: tcp"),
    ),
    case("connects of TCP are retried", policy(", protocol: tcp, retries: {attempts: 1}")),
    case(
        "a deadline for all of it",
        policy(", timeouts: {request: 10s}"),
    ),
    case(
        "a back-off that shrinks",
        policy(", retries: {backoff: {first: 1s, longest: 100ms}}"),
        error("spec.retries.backoff.longest", "at least as long"),
    ),
    case(
        "what is about endpoints, on an Ingress",
        ingress("{defaultBackend: {service: {name: web, port: {number: 80}}}}", "front")
        + policy(
            ", balancer: {type: RoundRobin}, panic: {belowPercent: 10}, tls: {reencrypt: {}}, "
            "proxyProtocol: {acceptFrom: [10.0.0.0/8]}, timeouts: {connect: 2s, clientHead: 2s, idle: 2s}",
            "{kind: Ingress, name: front}",
        ),
        warning("spec.balancer", "attach it to the Service"),
        warning("spec.panic", "attach it to the Service"),
        warning("spec.tls.reencrypt", "attach it to the Service"),
        warning("spec.timeouts.connect", "attach it to the Service"),
        warning("spec.timeouts.clientHead", "not known yet which one"),
        warning("spec.proxyProtocol", "attach it to the Service"),
        warning("spec.proxyProtocol.acceptFrom", "spec.ingress.proxyProtocol.acceptFrom"),
    ),
    case(
        "a redirect to https, on a Service",
        policy(", tls: {httpsRedirect: true, passthrough: true}"),
        warning("spec.tls.httpsRedirect", "attach it to the Ingress"),
        warning("spec.tls.passthrough", "attach it to the Ingress"),
    ),
]


@table(BALANCERS + CASES)
def test_policies(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
