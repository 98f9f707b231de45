from __future__ import annotations

import asyncio
import random

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from discovery.catalog import Catalog
from discovery.health import Kind, Outcome
from discovery.metrics import families
from discovery.prober import Prober, ProbeTarget
from tests.discovery.objects import named, service


class Joined(Collector):
    def __init__(self, catalog: Catalog, prober: Prober) -> None:
        self.parts = (catalog, prober)

    def collect(self) -> list[Metric]:
        return list(families(*self.parts))


async def test_families_in_text() -> None:
    catalog = Catalog()
    catalog.define(named(service()))
    prober = Prober(random.Random(1), asyncio.get_running_loop().time)
    prober.start(ProbeTarget("a-1", "web", "127.0.0.1"), lambda verdict: None)
    prober.stats.count(Kind.READINESS, Outcome.SUCCESS, 0.25)
    prober.stats.count(Kind.READINESS, Outcome.FAILURE, 0.5)
    registry = CollectorRegistry()
    registry.register(Joined(catalog, prober))
    lines = set(generate_latest(registry).decode().splitlines())
    await prober.close()
    assert lines >= {
        "weft_catalog_generation 1.0",
        "weft_probe_targets 1.0",
        'weft_probes_total{probe="readiness",result="success"} 1.0',
        'weft_probes_total{probe="readiness",result="failure"} 1.0',
        'weft_probes_total{probe="liveness",result="unknown"} 0.0',
        'weft_probe_duration_seconds_count{probe="readiness"} 2.0',
        'weft_probe_duration_seconds_sum{probe="readiness"} 0.75',
        "# TYPE weft_probes_total counter",
        "# TYPE weft_probe_duration_seconds summary",
    }
