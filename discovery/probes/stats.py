"""What the probes of this process came to: plain counters, read by `discovery.metrics`."""

from __future__ import annotations

from discovery.health import Kind, Outcome


class ProbeStats:
    """Runs by kind and outcome, and the seconds they took."""

    __slots__ = ("runs", "seconds")

    def __init__(self) -> None:
        self.runs = {(kind, outcome): 0 for kind in Kind for outcome in Outcome}
        self.seconds = dict.fromkeys(Kind, 0.0)

    def count(self, kind: Kind, outcome: Outcome, seconds: float) -> None:
        self.runs[kind, outcome] += 1
        self.seconds[kind] += seconds
