"""Metric families of Deployments, in the manner of kube-state-metrics: numbers, and conditions with each status."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from discovery.platforms.base import WorkloadStatus

_LABELS = ("namespace", "deployment")

_NUMBERS: dict[str, tuple[str, Callable[[WorkloadStatus], float]]] = {
    "spec_replicas": ("Replicas that there are to be.", lambda status: status.desired),
    "spec_paused": ("1 while the rollout is paused.", lambda status: status.paused),
    "status_replicas": ("Replicas that are not terminating.", lambda status: status.existing),
    "status_replicas_updated": ("Replicas of the current template.", lambda status: status.updated),
    "status_replicas_ready": ("Replicas that are ready.", lambda status: status.ready),
    "status_replicas_available": (
        "Replicas that have been ready for minReadySeconds.", lambda status: status.available,
    ),
    "status_replicas_unavailable": (
        "Replicas that there are to be of any revision, and that are not available.",
        lambda status: status.unavailable,
    ),
    "status_revision": ("Number of the current revision.", lambda status: status.revision),
}  # fmt: skip


def families(statuses: Iterable[WorkloadStatus]) -> Iterator[Metric]:
    """Of the Deployments that run here; nothing where none does."""
    there = [status for status in statuses if status.workload.kind == "Deployment"]
    if not there:
        return
    for name, (documentation, number) in _NUMBERS.items():
        family = GaugeMetricFamily(f"weft_deployment_{name}", documentation, labels=_LABELS)
        for status in there:
            family.add_metric((status.workload.namespace, status.workload.name), float(number(status)))
        yield family
    yield _conditions(there)


def _conditions(there: Iterable[WorkloadStatus]) -> Metric:
    labels = (*_LABELS, "condition", "status", "reason")
    family = GaugeMetricFamily("weft_deployment_status_condition", "1 for the status that holds.", labels=labels)
    for deployment in there:
        name = deployment.workload.namespace, deployment.workload.name
        for each in deployment.conditions:
            for status in ("True", "False", "Unknown"):
                family.add_metric((*name, each.type, status.lower(), each.reason), float(status == each.status))
    return family
