"""Metric families of this floor, made from plain counters when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from discovery.catalog import Catalog
from discovery.health import Kind, Outcome
from discovery.prober import Prober


def families(catalog: Catalog, prober: Prober) -> Iterable[Metric]:
    """What `catalog` and `prober` have to tell."""
    yield GaugeMetricFamily(
        "weft_catalog_generation", "Changes of endpoints that were published.", catalog.snapshot.generation
    )
    yield GaugeMetricFamily("weft_probe_targets", "Containers that are being probed.", len(prober))
    yield _probes(prober)
    yield _durations(prober)


def _probes(prober: Prober) -> Metric:
    family = CounterMetricFamily("weft_probes", "Probes that were run.", labels=("probe", "result"))
    for (kind, outcome), count in prober.stats.runs.items():
        family.add_metric((kind.value, outcome.value), count)
    return family


def _durations(prober: Prober) -> Metric:
    family = SummaryMetricFamily("weft_probe_duration_seconds", "How long probes took.", labels=("probe",))
    for kind in Kind:
        count = sum(prober.stats.runs[kind, outcome] for outcome in Outcome)
        family.add_metric((kind.value,), count, prober.stats.seconds[kind])
    return family
