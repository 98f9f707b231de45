"""Metrics of the autoscaler."""

from __future__ import annotations

from config.meta import Named
from mesh.autoscaling.controller import Scaler
from mesh.autoscaling.decision import decide
from mesh.autoscaling.families import families
from mesh.autoscaling.history import History
from mesh.autoscaling.reading import Reading
from mesh.exposition import render
from tests.mesh.autoscaling.objects import NOW, FakeScale, Written, crowd, metric


def test_a_decision() -> None:
    hpa = Written((metric("pods", 10), metric("object", 5)), most=5).made()
    copies, reading = crowd("r90x3")
    decision = decide(hpa, FakeScale(3, copies), (reading, Reading(failure="gone")), History({1: NOW - 900}), NOW)
    text = b"".join(render(families({Named("default", "web"): Scaler(hpa, decision)}))).decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        'weft_autoscaler_desired_replicas{namespace="default",name="web"} 5',
        'weft_autoscaler_current_replicas{namespace="default",name="web"} 3',
        'weft_autoscaler_metric_value{namespace="default",name="web",metric="pods metric in_flight",index="0"} 90.0',
        'weft_autoscaler_metric_target{namespace="default",name="web",metric="pods metric in_flight",index="0"} 10.0',
        'weft_autoscaler_metric_target{namespace="default",name="web",metric="Service metric in_flight",index="1"} 5.0',
        'weft_autoscaler_last_decision{namespace="default",name="web",reason="TooManyReplicas"} 1',
    ]


def test_none_before_the_first_decision() -> None:
    assert list(families({Named("default", "web"): Scaler(Written().made())})) == []
