"""Metrics of the autoscaler."""

from __future__ import annotations

from mesh.autoscaling.decision import decide
from mesh.autoscaling.families import families
from mesh.autoscaling.history import History
from mesh.autoscaling.reading import Reading
from mesh.autoscaling.scaler import scaler_of
from mesh.exposition import render
from tests.mesh.autoscaling.objects import NOW, FakeScale, Written, crowd, metric

WEB = 'kind="HorizontalPodAutoscaler",namespace="default",name="web"'


def test_a_decision() -> None:
    hpa = Written((metric("pods", 10), metric("object", 5)), most=5).made()
    copies, reading = crowd("r90x3")
    decision = decide(hpa, FakeScale(3, copies), (reading, Reading(failure="gone")), History({1: NOW - 900}), NOW)
    scaler = scaler_of(hpa)
    scaler.decision = decision
    text = b"".join(render(families([scaler]))).decode()
    lines = [line.replace(WEB, "@") for line in text.splitlines() if not line.startswith("#")]
    assert lines == [
        "weft_autoscaler_desired_replicas{@} 5",
        "weft_autoscaler_current_replicas{@} 3",
        'weft_autoscaler_metric_value{@,metric="pods metric in_flight",index="0"} 90.0',
        'weft_autoscaler_metric_target{@,metric="pods metric in_flight",index="0"} 10.0',
        'weft_autoscaler_metric_target{@,metric="Service metric in_flight",index="1"} 5.0',
        'weft_autoscaler_last_decision{@,reason="TooManyReplicas"} 1',
    ]


def test_none_before_the_first_decision() -> None:
    assert list(families([scaler_of(Written().made())])) == []
