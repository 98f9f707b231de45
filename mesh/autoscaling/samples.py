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


class _Counted(NamedTuple):
    """The processor time of one container."""

    at: float
    seconds: float
    cores: float | None = None
    """In use since it was counted before; None: not known, as when it was not there then."""

    def then(self, at: float, seconds: float) -> _Counted:
        """Counted again; platforms may not have done so between two looks, and say again what they said."""
        if at == self.at:
            return self
        if at < self.at or seconds < self.seconds:  # it was started again
            return _Counted(at, seconds)
        return _Counted(at, seconds, (seconds - self.seconds) / (at - self.at))


class Uses:
    """What a target's containers used, at the last two looks."""

    def __init__(self) -> None:
        self.last: tuple[float, Usage] | None = None
        """When (in Unix seconds), and what."""
        self.seconds = 0.0
        """Between the two; 0 before the second."""
        self._counted: dict[tuple[str, str], _Counted] = {}
        """By replica and container."""

    def add(self, at: float, usage: Usage) -> None:
        self.seconds = at - self.last[0] if self.last else 0.0
        self.last = at, usage
        before, self._counted = self._counted, {}
        for replica, containers in usage.items():
            for each in containers:
                if each.cpu_seconds is not None:
                    key, now = (replica, each.container), each.at if each.at is not None else at
                    known = before.get(key)
                    counted = known.then(now, each.cpu_seconds) if known else _Counted(now, each.cpu_seconds)
                    self._counted[key] = counted

    def cpu(self, replica: str, container: str) -> float | None:
        """Cores in use; None: not known."""
        counted = self._counted.get((replica, container))
        return counted.cores if counted is not None else None
