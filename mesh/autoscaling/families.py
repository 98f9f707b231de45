"""Metric families of the autoscaler; a metric that has no value now has no sample of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mesh.autoscaling.decision import Decision
from mesh.autoscaling.scaler import Scaler
from mesh.exposition import AnySample, Family, Sample

Decided = list[tuple[dict[str, str], Decision]]


def families(scalers: Iterable[Scaler]) -> Iterator[Family]:
    """Of those that have decided."""
    decided: Decided = [
        ({"kind": scaler.kind, "namespace": scaler.name.namespace, "name": scaler.name.name}, scaler.decision)
        for scaler in scalers
        if scaler.decision is not None
    ]
    if not decided:
        return
    yield _sizes("desired", "Replicas that there are to be.", decided, lambda decision: decision.desired)
    yield _sizes("current", "Replicas that there were to be before.", decided, lambda decision: decision.current)
    for what, documentation in _OF_METRICS.items():
        name = f"weft_autoscaler_metric_{what}"
        yield Family(name, "gauge", documentation, list(_of_metrics(name, what, decided)))
    name = "weft_autoscaler_last_decision"
    samples = [Sample(name, {**labels, "reason": decision.word}, 1) for labels, decision in decided]
    yield Family(name, "gauge", "The reason of the last decision, which is always 1.", samples)


_OF_METRICS = {
    "value": "What a metric of an autoscaler says: percent, or its own unit; per replica if its target is.",
    "target": "What it should be.",
}


def _sizes(what: str, documentation: str, decided: Decided, size: Callable[[Decision], int]) -> Family:
    name = f"weft_autoscaler_{what}_replicas"
    return Family(name, "gauge", documentation, [Sample(name, labels, size(decision)) for labels, decision in decided])


def _of_metrics(name: str, what: str, decided: Decided) -> Iterator[AnySample]:
    for labels, decision in decided:
        for place, proposal in enumerate(decision.proposals):
            value = getattr(proposal, what)
            if value is not None:
                yield Sample(name, {**labels, "metric": proposal.metric, "index": str(place)}, value)
