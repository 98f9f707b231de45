"""Means of gauges, growth of counters, and cores from CPU time."""

from __future__ import annotations

import pytest

from discovery.platforms.base import ContainerUsage
from mesh.autoscaling.samples import PER_PERIOD, Uses, Window, sample
from mesh.autoscaling.target import ReplicaLoad
from mesh.stats import BackendFrame, StatsFrame

PORT = ("default", "web", "http")


def frame(in_flight: int, ended: int = 0, slow: int = 0) -> StatsFrame:
    buckets = [ended - slow, *[0] * 12, slow, 0]
    return StatsFrame([BackendFrame(*PORT, in_flight=in_flight, codes={200: ended}, duration_buckets=buckets)])


def window(*frames: StatsFrame) -> Window:
    made = Window()
    for at, each in enumerate(frames):
        made.add(sample(float(at), each, {"a": ReplicaLoad(at, 10 * at)}))
    return made


def test_gauges_are_averaged_without_the_first_sample() -> None:
    assert window(frame(100), frame(2), frame(4)).gauge(PORT, lambda each: each.in_flight) == 3


def test_counters_are_compared_at_the_ends() -> None:
    made = window(frame(0, 10), frame(0, 90), frame(0, 40, 3))
    assert made.growth(PORT, lambda each: each.codes[200]) == 30
    assert sum(made.buckets(PORT)) == 30
    assert made.buckets(PORT)[13] == 3
    assert made.seconds == 2


def test_a_counter_that_began_again_did_not_shrink() -> None:
    made = window(frame(0, 10), frame(0, 4))
    assert made.growth(PORT, lambda each: each.codes[200]) == 0
    assert min(made.buckets(PORT)) == 0


def test_a_port_that_is_new_began_at_nothing() -> None:
    made = window(StatsFrame(), frame(3, 7))
    assert made.growth(PORT, lambda each: each.codes[200]) == 7
    assert sum(made.buckets(PORT)) == 7
    assert made.ports() == (PORT,)


def test_replicas() -> None:
    made = window(frame(0), frame(0), frame(0))
    assert (made.in_flight("a"), made.requests("a"), made.in_flight("b")) == (1.5, 20, 0)


def test_a_replica_counts_from_when_it_is_first_seen() -> None:
    made = window(frame(0))
    for at in (1.0, 2.0):
        made.add(sample(at, frame(0), {"new": ReplicaLoad(0, int(1000 + at))}))
    assert made.requests("new") == 1
    assert made.served({"new"})


def test_who_was_sent_something_has_served() -> None:
    made = window(frame(0), frame(0), frame(0))
    assert made.served({"a"})
    assert not made.served({"b"})
    quiet = Window()
    for at in range(3):
        quiet.add(sample(float(at), frame(0), {"a": ReplicaLoad(0, 7)}))
    assert not quiet.served({"a"})


def test_nothing_is_known_at_first() -> None:
    empty = Window()
    assert (empty.seconds, empty.ports(), dict(empty.replicas())) == (0, (), {})
    assert window(frame(1)).seconds == 0


def test_a_window_is_one_period_long() -> None:
    made = window(*[frame(0)] * (PER_PERIOD * 3))
    assert made.seconds == PER_PERIOD


@pytest.mark.parametrize(
    ("before", "after", "cores"),
    [(1.0, 4.0, 1.5), (1.0, 1.0, 0.0), (None, 4.0, None), (1.0, None, None), (4.0, 1.0, None)],
    ids=["busy", "idle", "new", "gone", "started again"],
)
def test_cores(before: float | None, after: float | None, cores: float | None) -> None:
    uses = Uses()
    assert uses.seconds == 0
    uses.add(10.0, {"a": (ContainerUsage("main", before),)})
    assert uses.cpu("a", "main") is None
    uses.add(12.0, {"a": (ContainerUsage("main", after),)})
    assert uses.cpu("a", "main") == cores
    assert uses.cpu("a", "other") is None
    assert uses.cpu("b", "main") is None


LOOKS = {
    "counted before each look": ([(1.0, 0.5), (6.0, 3.0)], [None, 0.5]),
    "not counted anew at the third": ([(1.0, 0.5), (6.0, 3.0), (6.0, 3.0), (16.0, 4.0)], [None, 0.5, 0.5, 0.1]),
    "not counted anew at the second": ([(1.0, 0.5), (1.0, 0.5), (11.0, 1.5)], [None, None, 0.1]),
    "a machine that began anew": ([(100.0, 9.0), (3.0, 10.0), (5.0, 11.0)], [None, None, 0.5]),
}


@pytest.mark.parametrize("case", LOOKS)
def test_cores_are_of_the_time_between_two_counts_whenever_it_is_looked(case: str) -> None:
    counts, cores = LOOKS[case]
    uses, found = Uses(), []
    for look, (at, seconds) in enumerate(counts):
        uses.add(1000.0 + 15 * look, {"a": (ContainerUsage("main", seconds, at=at),)})
        found.append(uses.cpu("a", "main"))
    assert found == cores
