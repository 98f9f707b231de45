"""Group autoscaling/v2: a HorizontalPodAutoscaler, whole."""

from __future__ import annotations

import pytest

from config.resources.autoscaling import Behavior, MetricTarget
from tests.config.reading import decoded, lines

AUTOSCALER = """
metadata: {{name: web}}
spec:
  scaleTargetRef: {{kind: Deployment, name: web, apiVersion: apps/v1}}
  maxReplicas: 10
  metrics: [{metric}]
"""
UTILIZATION = "{type: Utilization, averageUtilization: 70}"
VALUE = "{type: AverageValue, averageValue: 100}"
METRICS = [
    ("resource", f"{{type: Resource, resource: {{name: cpu, target: {UTILIZATION}}}}}"),
    (
        "container_resource",
        f"{{type: ContainerResource, containerResource: {{name: cpu, container: a, target: {VALUE}}}}}",
    ),
    ("pods", f"{{type: Pods, pods: {{metric: {{name: weft_http_requests_per_second}}, target: {VALUE}}}}}"),
    (
        "object",
        f"{{type: Object, object: {{describedObject: {{kind: A, name: b}}, metric: {{name: c}}, target: {VALUE}}}}}",
    ),
    ("external", f"{{type: External, external: {{metric: {{name: a, selector: {{}}}}, target: {VALUE}}}}}"),
]


@pytest.mark.parametrize(("attribute", "metric"), METRICS)
def test_metrics(attribute: str, metric: str) -> None:
    item, found = decoded("HorizontalPodAutoscaler", AUTOSCALER.format(metric=metric))
    assert lines(found, "error", "notice") == []
    assert getattr(item.spec.metrics[0], attribute) is not None
    assert item.spec.min_replicas == 1


def test_a_quantity_may_be_a_number() -> None:
    item, _ = decoded("HorizontalPodAutoscaler", AUTOSCALER.format(metric=METRICS[2][1]))
    assert item.spec.metrics[0].pods.target == MetricTarget(type="AverageValue", average_value="100")


def test_behaviour() -> None:
    text = (
        AUTOSCALER.format(metric="")
        + "  behavior: {scaleUp: {policies: [{type: Pods, value: 4, periodSeconds: 1801}]}}"
    )
    (line,) = lines(decoded("HorizontalPodAutoscaler", text)[1])
    assert line.endswith("periodSeconds: 1801 is out of range: must be between 1 and 1800")
    item, _ = decoded("HorizontalPodAutoscaler", text.replace("1801", "15"))
    assert item.spec.behavior.scale_up.select_policy == "Max"
    assert item.spec.behavior.scale_down is Behavior().scale_down
