"""Counters of one node, which never run backwards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.stats import BackendFrame, EndpointFrame, StatsFrame, merge
from sidecar.channel import tally as module
from sidecar.channel.tally import Load, Tally


def frame(service: str, requests: int, **more: int) -> BackendFrame:
    endpoints = {"1.2.3.4:80": EndpointFrame(1, requests)}
    return BackendFrame("d", service, "http", codes={200: requests}, endpoints=endpoints, **more)


def total(tally: Tally, service: str = "web") -> BackendFrame:
    (found,) = merge([StatsFrame(list(tally.frames([("d", service)])))]).backends
    return found


def test_a_node_that_leaves_has_nothing_in_flight_but_what_it_counted() -> None:
    tally = Tally()
    tally.counted([frame("web", 7, in_flight=3, queued=2, tcp_open=1, udp_open=1)], whole=True)
    tally.loaded({"r": Load(3, 7)})
    tally.left()
    there = total(tally)
    assert (there.codes, there.in_flight, there.queued, there.tcp_open, there.udp_open) == ({200: 7}, 0, 0, 0, 0)
    assert there.endpoints["1.2.3.4:80"].requests == 7
    assert dict(tally.loads()) == {"r": Load(0, 7)}


def test_a_process_that_begins_anew_adds_to_the_one_before() -> None:
    tally = Tally()
    tally.counted([frame("web", 7, in_flight=3)], whole=True)
    tally.loaded({"r": Load(1, 7)})
    tally.left()
    tally.counted([frame("web", 2, in_flight=1)], whole=True)
    tally.loaded({"r": Load(1, 2)})
    assert (total(tally).codes, total(tally).in_flight) == ({200: 9}, 1)
    assert dict(tally.loads()) == {"r": Load(1, 9)}
    tally.loaded({})
    assert dict(tally.loads()) == {}


def test_the_same_process_connected_again_is_not_counted_twice() -> None:
    tally = Tally()
    tally.counted([frame("web", 7), frame("api", 1)], whole=True)
    tally.left()
    tally.counted([frame("web", 8)], whole=True)
    assert total(tally).codes == {200: 8}
    assert total(tally, "api").codes == {200: 1}, "the rest of the report is on its way"
    tally.counted([frame("api", 2)], whole=False)
    assert total(tally, "api").codes == {200: 2}


def test_a_service_that_is_gone_was_counted() -> None:
    tally = Tally()
    tally.counted([frame("web", 7, in_flight=1), frame("api", 1)], whole=True)
    for _ in range(3):
        tally.counted([frame("api", 1)], whole=True)
    assert (total(tally).codes, total(tally).in_flight) == ({200: 7}, 0)
    assert len(list(tally.frames())) == 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PAST", 3)
    tally = Tally()
    for number in range(20):
        tally.counted([frame(str(number), 1)], whole=True)
    assert len(list(tally.frames())) <= 5
    assert len(tally._ports) <= 5


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=30))
def test_it_never_runs_backwards(steps: list[tuple[int, bool, bool]]) -> None:
    """Requests, restarts and lost connections, in any order."""
    tally, count, before = Tally(), 0, 0
    for requests, restarts, whole in steps:
        count = requests if restarts else count + requests
        tally.counted([frame("web", count)], whole=whole or restarts)
        if restarts and requests % 2:
            tally.left()
        now = total(tally).codes[200]
        assert now >= before
        before = now


def test_who_has_counted_before_begins_an_epoch() -> None:
    tally = Tally()
    tally.counted([BackendFrame("default", "quiet", "http")], whole=True)
    assert tally.epoch == 0
    tally.counted([BackendFrame("default", "web", "http", codes={200: 1000})], whole=False)
    assert tally.epoch == 1
    tally.counted([BackendFrame("default", "web", "http", codes={200: 1001})], whole=True)
    tally.counted([BackendFrame("default", "quiet", "http", codes={200: 1})], whole=False)
    assert tally.epoch == 1, "that is growth"
    tally.loaded({"r": Load(0, 1000)})
    tally.loaded({"r": Load(0, 1001), "new": Load(0, 1)})
    assert tally.epoch == 2
