"""Deployments: selection, strategy, the pod."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, deployment, error, table, warning

HEAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
CONTAINERS = "spec: {containers: [{name: main, image: i}]}"


def selecting(selector: str, labels: str = "{app: web, tier: front}") -> str:
    return f"{HEAD}spec: {{selector: {selector}, template: {{metadata: {{labels: {labels}}}, {CONTAINERS}}}}}\n"


def rolling(update: str) -> str:
    return deployment(spec=f"  strategy: {{rollingUpdate: {update}}}")


def pod(containers: str, rest: str = "") -> str:
    return (
        f"{HEAD}spec: {{selector: {{matchLabels: {{app: web}}}}, "
        f"template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{containers}]{rest}}}}}}}\n"
    )


LABELS = "spec.template.metadata.labels"
SELECTORS = [
    case("matchLabels", selecting("{matchLabels: {app: web}}")),
    case("matchExpressions", selecting("{matchExpressions: [{key: app, operator: In, values: [web, api]}]}")),
    case("empty", selecting("{}"), error("spec.selector", "would own every pod")),
    case("other labels", selecting("{matchLabels: {app: api}}"), error(LABELS, "does not select")),
    case("In", selecting("{matchExpressions: [{key: app, operator: In, values: [api]}]}"), error(LABELS, "not select")),
    case("NotIn", selecting("{matchExpressions: [{key: app, operator: NotIn, values: [web]}]}"), error(LABELS, "not")),
    case("Exists", selecting("{matchExpressions: [{key: zone, operator: Exists}]}"), error(LABELS, "not select")),
    case("DoesNotExist", selecting("{matchExpressions: [{key: app, operator: DoesNotExist}]}"), error(LABELS, "not")),
    case(
        "template's labels",
        selecting("{matchLabels: {app: web}}", "{app: web, -x: one}"),
        error(f"{LABELS}[-x]", "key"),
    ),
    case(
        "an operator that is none",
        selecting("{matchExpressions: [{key: app, operator: Is, values: [web]}]}"),
        error("spec.selector.matchExpressions[0].operator", "In, NotIn, Exists, DoesNotExist"),
        error(LABELS, "not select"),
    ),
    case(
        "values missing",
        selecting("{matchLabels: {app: web}, matchExpressions: [{key: app, operator: NotIn}]}"),
        error("spec.selector.matchExpressions[0].values", "at least one value"),
    ),
    case(
        "values too many",
        selecting("{matchExpressions: [{key: app, operator: Exists, values: [a]}]}"),
        error("spec.selector.matchExpressions[0].values", "takes no values"),
    ),
    case(
        "a value and a key",
        selecting("{matchLabels: {app: web}, matchExpressions: [{key: -a, operator: NotIn, values: [-b]}]}"),
        error("spec.selector.matchExpressions[0].key", "label key"),
        error("spec.selector.matchExpressions[0].values[0]", "label value"),
    ),
]
UPDATE = "spec.strategy.rollingUpdate"
STRATEGIES = [
    case("numbers", rolling("{maxSurge: 1, maxUnavailable: 0}")),
    case("shares", rolling("{maxSurge: 50%, maxUnavailable: 100%}")),
    case("both 0", rolling("{maxSurge: 0, maxUnavailable: 0}"), error(f"{UPDATE}.maxUnavailable", "maxSurge is 0")),
    case("both 0%", rolling("{maxSurge: 0%, maxUnavailable: 0%}"), error(f"{UPDATE}.maxUnavailable", "maxSurge is 0")),
    case("over 100%", rolling("{maxUnavailable: 101%}"), error(f"{UPDATE}.maxUnavailable", "more than 100%")),
    case("surge over 100%", rolling("{maxSurge: 200%}")),
    case("negative", rolling("{maxSurge: -1}"), error(f"{UPDATE}.maxSurge", "negative")),
    case("words", rolling("{maxSurge: many}"), error(f"{UPDATE}.maxSurge", "neither a number nor a percentage")),
    case("Recreate", deployment(spec="  strategy: {type: Recreate}")),
    case(
        "Recreate with rollingUpdate",
        deployment(spec="  strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}"),
        error(UPDATE, "remove it"),
    ),
    case(
        "progressDeadlineSeconds",
        deployment(spec="  minReadySeconds: 60\n  progressDeadlineSeconds: 60"),
        error("spec.progressDeadlineSeconds", "more than minReadySeconds, 60"),
    ),
    case(
        "progressDeadlineSeconds of 0",
        deployment(spec="  progressDeadlineSeconds: 0"),
        error("spec.progressDeadlineSeconds", "more than minReadySeconds, 0"),
    ),
]
POD = "spec.template.spec"
PODS = [
    case("no containers", pod(""), error(f"{POD}.containers", "at least one")),
    case(
        "a container twice",
        pod("{name: a, image: i}, {name: a, image: i}"),
        error(f"{POD}.containers[1].name", "containers[0]"),
    ),
    case("hostname", pod("{name: a, image: i}", ", hostname: a.b"), error(f"{POD}.hostname", "DNS label")),
    case("subdomain", pod("{name: a, image: i}", ", subdomain: A"), error(f"{POD}.subdomain", '"a"')),
    case(
        "a port's name in two containers",
        pod(
            "{name: a, image: i, ports: [{name: http, containerPort: 1}]}, "
            "{name: b, image: i, ports: [{name: http, containerPort: 2}]}"
        ),
        warning(f"{POD}.containers[1].ports[0].name", "containers[0]"),
    ),
]


@table(SELECTORS + STRATEGIES + PODS)
def test_deployments(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
