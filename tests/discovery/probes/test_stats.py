from __future__ import annotations

from discovery.health import Kind, Outcome
from discovery.probes.stats import ProbeStats


def test_runs_and_seconds_add_up() -> None:
    stats = ProbeStats()
    stats.count(Kind.READINESS, Outcome.SUCCESS, 0.25)
    stats.count(Kind.READINESS, Outcome.FAILURE, 0.5)
    assert stats.runs[Kind.READINESS, Outcome.SUCCESS] == 1
    assert stats.runs[Kind.READINESS, Outcome.FAILURE] == 1
    assert stats.seconds[Kind.READINESS] == 0.75
    assert sum(stats.runs.values()) == 2
    assert len(stats.runs) == len(Kind) * len(Outcome), "all series exist from the start"
