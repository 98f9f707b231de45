"""HorizontalPodAutoscalers: bounds, metrics, targets, behaviour."""

from __future__ import annotations

from pathlib import Path

from config.resources.autoscaling import PER_SECOND, POD_METRICS, QUEUED
from tests.config.validating import Case, case, check, deployment, document, error, node, table, warning

WEB = deployment("{resources: {requests: {cpu: 100m}}}")


def autoscaler(rest: str, target: str = "{kind: Deployment, name: web}") -> str:
    spec = f"spec: {{scaleTargetRef: {target}, {rest}}}"
    return WEB + document("HorizontalPodAutoscaler", spec, "web", "autoscaling/v2")


def metric(body: str) -> str:
    return autoscaler(f"maxReplicas: 3, metrics: [{body}]")


def target(kind: str, values: str) -> str:
    return metric(f"{{type: Resource, resource: {{name: cpu, target: {{type: {kind}, {values}}}}}}}")


TEN = "target: {type: AverageValue, averageValue: 10}"
SERVICE = "describedObject: {kind: Service, name: web}"
OUTSIDE = f"{{type: External, external: {{metric: {{name: queue}}, {TEN}}}}}"
AT = "spec.metrics[0]"
TARGET = f"{AT}.resource.target"
CASES = [
    case("bounds", autoscaler("minReplicas: 2, maxReplicas: 2")),
    case("max below min", autoscaler("minReplicas: 3, maxReplicas: 2"), error("spec.maxReplicas", "minReplicas, 3")),
    case(
        "from zero",
        autoscaler("minReplicas: 0, maxReplicas: 2"),
        warning("spec.metrics", "at least one Object or External metric"),
    ),
    case(
        "from zero by what is outside",
        autoscaler(
            "minReplicas: 0, maxReplicas: 2, metrics: [{type: External, "
            "external: {metric: {name: queue}, target: {type: Value, value: 10}}}]"
        ),
    ),
    case(
        "nobody",
        autoscaler("maxReplicas: 2", "{kind: Deployment, name: ''}"),
        error("spec.scaleTargetRef.name", "must not be empty"),
        error("spec.scaleTargetRef.name", "does not exist"),
    ),
    case("Utilization", target("Utilization", "averageUtilization: 80")),
    case("AverageValue", target("AverageValue", "averageValue: 500m")),
    case("Value does not fit", target("Value", "value: 1"), error(f"{TARGET}.type", "Utilization or AverageValue")),
    case(
        "two values",
        target("Utilization", "averageUtilization: 80, averageValue: 1"),
        error(f"{TARGET}.averageValue", "remove it"),
    ),
    case(
        "the wrong value",
        target("Utilization", "averageValue: 1"),
        error(f"{TARGET}.averageUtilization", "is needed"),
        error(f"{TARGET}.averageValue", "remove it"),
    ),
    case("zero", target("AverageValue", "averageValue: 0"), error(f"{TARGET}.averageValue", "not more than 0")),
    case("no source", metric("{type: Resource}"), error(f"{AT}.resource", "type Resource")),
    case(
        "another source",
        metric("{type: Pods, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}"),
        error(f"{AT}.pods", "type Pods"),
        error(f"{AT}.resource", "remove it"),
    ),
    case("Pods", metric(f"{{type: Pods, pods: {{metric: {{name: {PER_SECOND}}}, {TEN}}}}}")),
    case(
        "Pods of no name that is known",
        metric(f"{{type: Pods, pods: {{metric: {{name: weft_http_requests_per_secnd}}, {TEN}}}}}"),
        warning(f"{AT}.pods.metric.name", f'; did you mean "{PER_SECOND}"?'),
    ),
    case(
        "Pods of a name that only Services have",
        metric(f"{{type: Pods, pods: {{metric: {{name: {QUEUED}}}, {TEN}}}}}"),
        warning(f"{AT}.pods.metric.name", f"there are {', '.join(POD_METRICS)}"),
    ),
    case(
        "a Service has it",
        metric(f"{{type: Object, object: {{{SERVICE}, metric: {{name: {QUEUED}}}, {TEN}}}}}"),
    ),
    case(
        "External where nobody is asked", metric(OUTSIDE) + node("{}"), warning(f"{AT}.external", "names no Prometheus")
    ),
    case("External", metric(OUTSIDE) + node("{autoscaler: {prometheus: {url: 'http://127.0.0.1:9090'}}}")),
    case(
        "Pods by Value",
        metric("{type: Pods, pods: {metric: {name: weft_http_requests_per_second}, target: {type: Value, value: 10}}}"),
        error(f"{AT}.pods.target.type", "use AverageValue"),
    ),
    case(
        "no name",
        metric("{type: Pods, pods: {metric: {name: ''}, target: {type: AverageValue, averageValue: 10}}}"),
        error(f"{AT}.pods.metric.name", "needed"),
    ),
    case(
        "an odd name and selector",
        metric(
            "{type: Pods, pods: {metric: {name: a/b, selector: {matchLabels: {a: -}}}, "
            "target: {type: AverageValue, averageValue: 10}}}"
        ),
        error(f"{AT}.pods.metric.name", "may not contain '/'"),
        error(f"{AT}.pods.metric.selector.matchLabels.a", "label value"),
    ),
    case(
        "Object",
        metric(
            f"{{type: Object, object: {{describedObject: {{kind: Ingress, name: ''}}, metric: {{name: {PER_SECOND}}}, "
            "target: {type: Value, value: 10}}}"
        ),
        error(f"{AT}.object.describedObject.name", "empty"),
    ),
    case(
        "ContainerResource",
        metric(
            "{type: ContainerResource, containerResource: {name: cpu, container: main, "
            "target: {type: Utilization, averageUtilization: 80}}}"
        ),
    ),
    case(
        "no such container",
        metric(
            "{type: ContainerResource, containerResource: {name: cpu, container: mian, "
            "target: {type: Utilization, averageUtilization: 80}}}"
        ),
        error(f"{AT}.containerResource.container", 'did you mean "main"'),
    ),
    case(
        "no resource",
        metric("{type: Resource, resource: {name: '', target: {type: AverageValue, averageValue: 1}}}"),
        error(f"{AT}.resource.name", "such as cpu"),
    ),
    case("behaviour", autoscaler("maxReplicas: 2, behavior: {scaleUp: {tolerance: 50m}}")),
    case(
        "a negative tolerance",
        autoscaler("maxReplicas: 2, behavior: {scaleDown: {tolerance: -1}}"),
        error("spec.behavior.scaleDown.tolerance", "negative"),
    ),
]


@table(CASES)
def test_autoscalers(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
