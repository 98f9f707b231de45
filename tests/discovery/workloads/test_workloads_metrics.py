from __future__ import annotations

from prometheus_client.core import Metric

from discovery.endpoint import WorkloadRef
from discovery.platforms.base import WorkloadStatus
from discovery.workloads.conditions import Condition
from discovery.workloads.metrics import families

STATUS = WorkloadStatus(
    WorkloadRef("Deployment", "default", "shop"), desired=3, updated=1, ready=2, existing=4, available=2, unavailable=2,
    revision=7, paused=True, conditions=(Condition("Progressing", "False", "ProgressDeadlineExceeded"),),
)  # fmt: skip


def values(found: Metric) -> list[float]:
    return [sample.value for sample in found.samples]


def test_numbers() -> None:
    found = {family.name.removeprefix("weft_deployment_"): family for family in families([STATUS])}
    conditions = found.pop("status_condition")
    assert {name: values(family) for name, family in found.items()} == {
        "spec_replicas": [3],
        "spec_paused": [1],
        "status_replicas": [4],
        "status_replicas_updated": [1],
        "status_replicas_ready": [2],
        "status_replicas_available": [2],
        "status_replicas_unavailable": [2],
        "status_revision": [7],
    }
    assert [(sample.labels["status"], sample.value) for sample in conditions.samples] == [
        ("true", 0), ("false", 1), ("unknown", 0),
    ]  # fmt: skip
    assert conditions.samples[0].labels["reason"] == "ProgressDeadlineExceeded"


def test_of_nothing_there_is_none() -> None:
    assert list(families([])) == []
    assert list(families([WorkloadStatus(WorkloadRef("Application", "default", "x"), 1)])) == []
