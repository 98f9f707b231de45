"""What autoscalers have in common."""

from __future__ import annotations

import pytest

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.scaler import scaler_of
from tests.mesh.autoscaling.objects import Written, metric


def test_a_horizontal_pod_autoscaler() -> None:
    hpa = Written(
        (metric("object", 5), metric("cpu", "1")), least=2, most=7, annotations={"weft.dev/autoscale": "paused"}
    )
    scaler = scaler_of(hpa.made())
    assert (scaler.name, scaler.target) == (Named("default", "web"), WorkloadRef("Deployment", "default", "web"))
    assert (scaler.least, scaler.most, scaler.paused) == (2, 7, True)
    assert (scaler.services, scaler.reads_resources) == ({Named("default", "web")}, True)
    plain = scaler_of(Written().made())
    assert (plain.services, plain.reads_resources, plain.paused) == (set(), False, False)


READS = {
    "what each replica is sent": ((metric("pods", 1),), 1, (True, False)),
    "what they use": ((metric("memory", "1Gi"),), 1, (False, True)),
    "that, of one that may sleep": ((metric("cpu", "1"),), 0, (True, True)),
    "neither": ((metric("object", 1), metric("external", 1)), 1, (False, False)),
}


@pytest.mark.parametrize("case", READS)
def test_what_it_needs_of_replicas(case: str) -> None:
    metrics, least, wanted = READS[case]
    scaler = scaler_of(Written(metrics, least=least).made())
    assert (scaler.reads_loads, scaler.reads_resources) == wanted
