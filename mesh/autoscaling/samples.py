"""Samples of the last period: what goes up and down is averaged over them, what only grows is compared at the ends.

One look each 15 seconds would catch a queue full or empty by chance, so gauges are looked at 15 times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from mesh.autoscaling.target import ReplicaLoad, Usage
from mesh.stats import BackendFrame, StatsFrame

PER_PERIOD = 15


class Sample(NamedTuple):
    """Everything that is known at one moment of the loop's clock, in seconds."""

    at: float
    ports: Mapping[tuple[str, str, str], BackendFrame]
    """By namespace, Service and port."""
    replicas: Mapping[str, ReplicaLoad]


def sample(at: float, frame: StatsFrame, replicas: Mapping[str, ReplicaLoad]) -> Sample:
    """`frame` has each port once."""
    return Sample(at, {(each.namespace, each.service, each.port): each for each in frame.backends}, replicas)


class Window:
    """The samples of one period; the first is the last of the period before."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=PER_PERIOD + 1)

    def add(self, sample: Sample) -> None:
        self._samples.append(sample)

    @property
    def seconds(self) -> float:
        """How long it is; 0: too short to say anything."""
        return self._samples[-1].at - self._samples[0].at if self._samples else 0.0

    def ports(self) -> Sequence[tuple[str, str, str]]:
        """Those of the last sample."""
        return tuple(self._samples[-1].ports) if self._samples else ()

    def gauge(self, port: tuple[str, str, str], field: Callable[[BackendFrame], float]) -> float:
        """The mean over the samples after the first that have the port."""
        seen = [field(sample.ports[port]) for sample in self._later() if port in sample.ports]
        return sum(seen) / len(seen) if seen else 0.0

    def growth(self, port: tuple[str, str, str], field: Callable[[BackendFrame], float]) -> float:
        """How much more there is at the end than at the beginning; a port that is new began at nothing."""
        last, first = self._samples[-1].ports[port], self._samples[0].ports.get(port)
        return max(0.0, field(last) - (field(first) if first is not None else 0.0))

    def buckets(self, port: tuple[str, str, str]) -> list[int]:
        """Requests that ended meanwhile, by duration (`mesh.stats.DURATION_BOUNDS`)."""
        last, first = self._samples[-1].ports[port], self._samples[0].ports.get(port)
        before = first.duration_buckets if first is not None else [0] * len(last.duration_buckets)
        return [max(0, now - then) for now, then in zip(last.duration_buckets, before, strict=True)]

    def replicas(self) -> Mapping[str, ReplicaLoad]:
        """The loads of the last sample."""
        return self._samples[-1].replicas if self._samples else {}

    def in_flight(self, replica: str) -> float:
        """The mean over the samples that have the replica."""
        seen = [sample.replicas[replica].in_flight for sample in self._later() if replica in sample.replicas]
        return sum(seen) / len(seen) if seen else 0.0

    def requests(self, replica: str) -> int:
        """How many were sent to it meanwhile; one that is new may have been sent some that others count only now."""
        there = [sample.replicas[replica].requests for sample in self._samples if replica in sample.replicas]
        return max(0, there[-1] - there[0])

    def served(self, replicas: Collection[str]) -> bool:
        """Whether any of these had anything in flight meanwhile, or was sent anything."""
        known = [each for each in replicas if each in self.replicas()]
        first = self._samples[0].replicas if self._samples else {}
        return any(
            self.in_flight(each) or self.replicas()[each].requests > first.get(each, ReplicaLoad()).requests
            for each in known
        )

    def _later(self) -> list[Sample]:
        return list(self._samples)[1:]


class Uses:
    """What a target's containers used, at the last two looks."""

    def __init__(self) -> None:
        self._before: tuple[float, Usage] | None = None
        self.last: tuple[float, Usage] | None = None
        """When (in Unix seconds), and what."""

    def add(self, at: float, usage: Usage) -> None:
        self._before, self.last = self.last, (at, usage)

    @property
    def seconds(self) -> float:
        """Between the two; 0 before the second."""
        return self.last[0] - self._before[0] if self.last and self._before else 0.0

    def cpu(self, replica: str, container: str) -> float | None:
        """Cores in use between the two looks; None: not known, as when it was not there at the first."""
        then = _cpu_seconds(self._before, replica, container)
        now = _cpu_seconds(self.last, replica, container)
        if then is None or now is None or now < then or not self.seconds:  # less: it was started again
            return None
        return (now - then) / self.seconds


def _cpu_seconds(look: tuple[float, Usage] | None, replica: str, container: str) -> float | None:
    found = (each for each in (look[1].get(replica, ()) if look else ()) if each.container == container)
    return next((each.cpu_seconds for each in found), None)
