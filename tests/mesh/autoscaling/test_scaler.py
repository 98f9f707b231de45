"""What autoscalers have in common."""

from __future__ import annotations

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
