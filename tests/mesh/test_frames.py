"""Frames: nothing runs backwards, endpoints beyond the bound are summed, long work pauses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.endpoint import WorkloadRef
from mesh.backend import Backend
from mesh.frames import SLICE, FrameTaker
from mesh.live import Live
from mesh.roster import MOST_DEPARTED, REMEMBERED
from mesh.stats import OTHER, BackendFrame, EndpointFrame
from tests.mesh.making import KEY, Clock, endpoint, endpoints, plan


def world(*there: object, room: int = 5000, clock: Clock | None = None) -> tuple[Backend, FrameTaker]:
    live = Live(clock or Clock())
    backend = live.backend(KEY)
    backend.apply(plan(*there))  # type: ignore[arg-type]
    live.replace({KEY: backend})
    return backend, FrameTaker(live, room)


def only(taker: FrameTaker) -> BackendFrame:
    (frame,) = taker.take().backends
    return frame


def test_counters_are_copied() -> None:
    backend, taker = world()
    backend.stats.finished(200, 0.3)
    backend.stats.detected["http"] = 2
    frame = only(taker)
    backend.stats.finished(200, 0.3)
    assert (frame.namespace, frame.service, frame.port) == KEY[:3]
    assert (frame.codes, sum(frame.duration_buckets), frame.detected) == ({200: 1}, 1, {"http": 2})


def test_endpoints() -> None:
    backend, taker = world(endpoint(0), endpoint(1, ready=False))
    backend.eligible[0].requests = 3
    assert only(taker).endpoints == {"10.0.0.0:8080": EndpointFrame(1, 3), "10.0.0.1:8080": EndpointFrame(0)}


def test_what_sleeps_has_no_endpoint_and_is_to_have_none() -> None:
    live = Live(Clock())
    backend, taker = live.backend(KEY), FrameTaker(live)
    live.replace({KEY: backend})
    assert not only(taker).asleep
    live.asleep = lambda key: key == KEY
    assert only(taker).asleep
    backend.apply(plan(endpoint(0, ready=False)))
    assert not only(taker).asleep
    backend.apply(plan())
    live.asleep = lambda _: False
    live.room.wakeable = lambda key: WorkloadRef("Deployment", key.namespace, key.service)
    assert only(taker).asleep


def test_an_endpoint_stays_for_minutes_after_it_left() -> None:
    clock = Clock()
    backend, taker = world(*endpoints(2), clock=clock)
    backend.eligible[1].requests = 3
    taker.take()
    backend.apply(plan(endpoint(0)))
    clock.advance(REMEMBERED - 1)
    assert only(taker).endpoints["10.0.0.1:8080"] == EndpointFrame(0, 3)
    clock.advance(2)
    assert set(only(taker).endpoints) == {"10.0.0.0:8080"}


def test_two_replicas_at_one_address_are_one_series() -> None:
    backend, taker = world(endpoint(0, replica_id="old"))
    backend.eligible[0].requests = 3
    backend.apply(plan(endpoint(0, replica_id="new")))
    backend.eligible[0].requests = 4
    assert only(taker).endpoints == {"10.0.0.0:8080": EndpointFrame(1, 7)}


def test_endpoints_beyond_the_bound_are_summed() -> None:
    backend, taker = world(*endpoints(4), room=2)
    for state in backend.eligible:
        state.requests = 1
    found = only(taker).endpoints
    assert found == {
        "10.0.0.0:8080": EndpointFrame(1, 1),
        "10.0.0.1:8080": EndpointFrame(1, 1),
        OTHER: EndpointFrame(2, 2),
    }


def test_room_is_given_again_when_series_end() -> None:
    clock = Clock()
    backend, taker = world(*endpoints(2), room=2, clock=clock)
    taker.take()
    backend.apply(plan(endpoint(7), endpoint(8)))
    assert set(only(taker).endpoints) == {"10.0.0.0:8080", "10.0.0.1:8080", OTHER}
    clock.advance(REMEMBERED + 1)
    taker.take()
    backend.apply(plan(endpoint(7), endpoint(9)))
    assert set(only(taker).endpoints) == {"10.0.0.9:8080", OTHER}


@given(
    st.lists(st.tuples(st.sets(st.integers(0, 6)), st.integers(0, 6), st.sampled_from([1.0, REMEMBERED + 1.0]))),
    st.integers(0, 4),
)
def test_no_series_runs_backwards(history: list[tuple[set[int], int, float]], room: int) -> None:
    """A series may end and begin again at 0 when its endpoint was forgotten, but never falls while it exists."""
    clock = Clock()
    backend, taker = world(room=room, clock=clock)
    before: dict[str, EndpointFrame] = {}
    for present, requests, seconds in history:
        backend.apply(plan(*(endpoint(number) for number in sorted(present))))
        for state in backend.eligible:
            state.requests += requests
        clock.advance(seconds)
        now = only(taker).endpoints
        for name in before.keys() & now.keys():
            if name == OTHER or name not in forgotten(backend, now, before):
                assert now[name].requests >= before[name].requests
        assert before.keys() - now.keys() <= {name for name in before if name != OTHER or not before[OTHER].requests}
        before = now


def forgotten(backend: Backend, now: dict[str, EndpointFrame], before: dict[str, EndpointFrame]) -> set[str]:
    """Series whose endpoint left long ago and came back as a new one."""
    known = {f"{state.host}:{state.port}": state.requests for state in backend.states()}
    return {name for name in now if name in known and known[name] < before.get(name, EndpointFrame()).requests}


def test_steps_are_short() -> None:
    backend, taker = world(*endpoints(SLICE * 5))
    assert len(list(taker.steps())) >= 4
    backend.apply(plan())
    assert len(backend.departed) <= max(MOST_DEPARTED, SLICE * 5)


def test_both_sides_of_a_port_are_one_frame() -> None:
    clock = Clock()
    live = Live(clock)
    sides = {key: Backend(key, clock) for key in (KEY, KEY._replace(side="external"))}
    live.replace(sides)
    for number, each in enumerate(sides.values(), 1):
        each.apply(plan(endpoint(0), key=each.key))
        each.eligible[0].requests = each.stats.tcp_total = number
    (frame,) = FrameTaker(live).take().backends
    assert (frame.tcp_total, frame.endpoints) == (3, {"10.0.0.0:8080": EndpointFrame(1, 3)})
