"""What `scaling` of a policy is to scale: that it is there."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import (
    Case,
    Expected,
    case,
    check,
    deployment,
    document,
    error,
    node,
    service,
    table,
    warning,
)

SELECTING = "{selector: {app: web}, ports: [{port: 80}]}"
FOLLOWER = node("{registry: {servers: ['127.0.0.1:5353']}}")


def scaled(scaling: str, *others: str, spec: str = SELECTING) -> str:
    policy = document(
        "TrafficPolicy", f"spec: {{targetRef: {{kind: Service, name: web}}, scaling: {scaling}}}", "p", "weft.dev/v1"
    )
    return "".join((service(spec), policy, *others))


def naming(kind: str, name: str) -> str:
    return f"{{scaleTargetRef: {{kind: {kind}, name: {name}}}}}"


NOTHING = warning("spec.scaling", 'has no effect: Service "web" selects no Deployment; say with scaleTargetRef')
MISSING: Expected = error(
    "spec.scaling.scaleTargetRef.name", 'Deployment/default/wep does not exist: nothing is scaled; did you mean "web"?'
)
CASES = [
    case("the one that is selected", scaled("{}", deployment())),
    case("nothing is selected", scaled("{}", deployment(name="api")), NOTHING),
    case("nothing can be selected", scaled("{}", deployment(), spec="{ports: [{port: 80}]}"), NOTHING),
    case("nothing is selected, but one is named", scaled(naming("Deployment", "api"), deployment(name="api"))),
    case("a misspelt Deployment", scaled(naming("Deployment", "wep"), deployment()), MISSING),
    case(
        "who knows which labels pods have",
        scaled("{}", deployment().replace("{metadata: {labels: {app: web}}", "{metadata: {labels: []}")),
        error("spec.template.metadata.labels", "expected"),
    ),
    case(
        "who knows what is selected",
        scaled("{}", spec="{selector: [], ports: [{port: 80}]}"),
        error("spec.selector", "expected"),
    ),
    case("who knows what a swarm has", scaled(naming("SwarmService", "blue"))),
    case("a registry knows better what is selected", scaled("{}", FOLLOWER)),
    case("and what there is", scaled(naming("Deployment", "wep"), FOLLOWER, deployment())),
]


@table(CASES)
def test_scaled(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
