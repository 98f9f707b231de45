"""Counters count, and frames add up."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.stats import BATCH, DURATION_BOUNDS, BackendFrame, BackendStats, EndpointFrame, StatsFrame, merge


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (0.0005, 0), (0.00051, 1), (10.0, 13), (10.1, 14), (1e9, 14)]
)
def test_durations_fall_into_the_bucket_of_their_upper_bound(seconds: float, bucket: int) -> None:
    stats = BackendStats()
    stats.finished(200, seconds)
    assert stats.duration_buckets[bucket] == 1
    assert stats.duration_sum == seconds
    assert len(stats.duration_buckets) == len(DURATION_BOUNDS) + 1


def test_codes() -> None:
    stats = BackendStats()
    for code in (200, 503, 200):
        stats.finished(code, 0.1)
    assert stats.codes == {200: 2, 503: 1}


@given(st.lists(st.tuples(st.sampled_from([200, 404]), st.floats(0, 20)), max_size=3 * BATCH))
def test_many_are_counted_as_one_by_one(ended: list[tuple[int, float]]) -> None:
    stats, buckets = BackendStats(), [0] * (len(DURATION_BOUNDS) + 1)
    for status, seconds in ended:
        stats.finished(status, seconds)
        buckets[sum(bound < seconds for bound in DURATION_BOUNDS)] += 1
    assert stats.duration_buckets == buckets
    assert stats.duration_sum == pytest.approx(sum(seconds for _, seconds in ended))
    assert stats.codes == Counter(status for status, _ in ended)


def test_few_wait_to_be_counted() -> None:
    stats = BackendStats()
    for _ in range(10 * BATCH + 1):
        stats.finished(200, 0.1)
    assert len(stats._times[200]) == 1


COUNT = st.integers(0, 1000)
FRAMES = st.builds(
    BackendFrame,
    namespace=st.just("default"),
    service=st.sampled_from("ab"),
    port=st.sampled_from(["http", "80"]),
    codes=st.dictionaries(st.sampled_from([200, 404, 503]), COUNT),
    reasons=st.dictionaries(st.sampled_from(["timeout", "refused"]), COUNT),
    duration_buckets=st.lists(COUNT, min_size=15, max_size=15),
    in_flight=COUNT,
    bytes_in=COUNT,
    tcp_total=COUNT,
    endpoints=st.dictionaries(
        st.sampled_from(["10.0.0.1:80", "other"]), st.builds(EndpointFrame, st.integers(0, 1), COUNT, COUNT)
    ),
).map(lambda frame: StatsFrame([frame]))


def totals(frame: StatsFrame) -> tuple[int, ...]:
    return (
        sum(sum(b.codes.values()) for b in frame.backends),
        sum(sum(b.duration_buckets) for b in frame.backends),
        sum(b.in_flight + b.bytes_in + b.tcp_total for b in frame.backends),
        sum(e.requests + e.ejections for b in frame.backends for e in b.endpoints.values()),
    )


@given(st.lists(FRAMES, max_size=5), st.integers(0, 5))
def test_merging_adds_up_in_any_grouping(frames: list[StatsFrame], cut: int) -> None:
    before = msgspec.json.encode(frames)
    whole = merge(frames)
    assert totals(whole) == tuple(sum(column) for column in zip(*map(totals, frames), strict=True) or [0]) or not frames
    parts = merge([merge(frames[:cut]), merge(frames[cut:])])
    assert sorted(map(msgspec.json.encode, parts.backends)) == sorted(map(msgspec.json.encode, whole.backends))
    assert msgspec.json.encode(frames) == before, "frames are not changed by merging them"


def test_readiness_is_not_summed() -> None:
    one = StatsFrame([BackendFrame("d", "s", "p", endpoints={"10.0.0.1:80": EndpointFrame(1, 5)})])
    merged = merge([one, one]).backends[0].endpoints["10.0.0.1:80"]
    assert (merged.ready, merged.requests) == (1, 10)


def test_frames_travel_as_json() -> None:
    frame = StatsFrame([BackendFrame("d", "s", "p", codes={200: 1}, endpoints={"other": EndpointFrame(3)})])
    assert msgspec.json.decode(msgspec.json.encode(frame), type=StatsFrame) == frame
