"""Who may be picked, by table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.endpoint import Endpoint, Hints
from mesh.eligibility import Rules, admitted, eligible
from tests.mesh.making import endpoint


@dataclass(eq=False)
class State:
    endpoint: Endpoint
    set_aside_until: float = 0.0
    unhealthy: bool = False


READY = {"ready": True}
UNREADY = {"ready": False, "serving": False}
DRAINING = {"ready": False, "serving": True, "terminating": True}
STOPPED = {"ready": False, "serving": False, "terminating": True}
CONTRADICTORY = {"ready": True, "serving": True, "terminating": True}


@pytest.mark.parametrize(
    ("conditions", "publish_not_ready", "expected"),
    [
        pytest.param([], False, [], id="none"),
        pytest.param([READY, READY], False, [0, 1], id="ready"),
        pytest.param([READY, UNREADY], False, [0], id="one unready"),
        pytest.param([READY, DRAINING], False, [0], id="draining beside ready"),
        pytest.param([UNREADY, DRAINING], False, [1], id="draining when none is ready"),
        pytest.param([STOPPED, DRAINING], False, [1], id="stopped is not serving"),
        pytest.param([STOPPED, UNREADY], False, [], id="nobody"),
        pytest.param([CONTRADICTORY, READY], False, [1], id="terminating is never ready"),
        pytest.param([CONTRADICTORY, UNREADY], False, [0], id="terminating, said to be ready, still serves"),
        pytest.param([UNREADY, DRAINING, STOPPED], True, [0, 1, 2], id="publishNotReadyAddresses"),
    ],
)
def test_admitted(conditions: list[dict[str, bool]], publish_not_ready: bool, expected: list[int]) -> None:
    states = [State(endpoint(number, **fields)) for number, fields in enumerate(conditions)]
    assert [states.index(state) for state in admitted(states, publish_not_ready)] == expected


@pytest.mark.parametrize(
    ("weights", "aside", "expected"),
    [
        pytest.param([1, 1], [], [0, 1], id="all"),
        pytest.param([1, 1], [0], [1], id="one set aside"),
        pytest.param([1, 1], [0, 1], [0, 1], id="never nobody"),
        pytest.param([0, 1], [], [1], id="weight 0 gets nothing"),
        pytest.param([0, 0], [], [0, 1], id="unless all have it"),
        pytest.param([0, 1], [1], [1], id="a set-aside endpoint before one of weight 0"),
        pytest.param([0, 0], [1], [0], id="all weights 0, one set aside"),
        pytest.param([], [], [], id="none"),
    ],
)
def test_eligible(weights: list[int], aside: list[int], expected: list[int]) -> None:
    states = [
        State(endpoint(number, weight=weight), 11.0 if number in aside else 0.0)
        for number, weight in enumerate(weights)
    ]
    assert [states.index(state) for state in eligible(states, now=10.0)] == expected


def test_time_aside_ends() -> None:
    states = [State(endpoint(0), set_aside_until=11.0), State(endpoint(1))]
    assert eligible(states, now=10.9) == states[1:]
    assert eligible(states, now=11.0) == states


HERE, NEAR, FAR = {"node": "n1", "zone": "z1"}, {"node": "n2", "zone": "z1"}, {"node": "n3", "zone": "z2"}
LOCAL = Rules(local_only=True, node="n1", zone="z1")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param([HERE, NEAR, FAR], [0], id="only this node"),
        pytest.param([NEAR, FAR], [], id="nobody here, so nobody"),
        pytest.param([{}], [], id="an endpoint of no known node is not here"),
        pytest.param([HERE | DRAINING, NEAR], [0], id="terminating here before ready elsewhere"),
        pytest.param([HERE | UNREADY, HERE | DRAINING], [1], id="the terminating fallback here"),
        pytest.param([HERE | STOPPED, NEAR], [], id="stopped here"),
    ],
)
def test_local(fields: list[dict[str, object]], expected: list[int]) -> None:
    states = [State(endpoint(number, **each)) for number, each in enumerate(fields)]
    assert [states.index(state) for state in admitted(states, rules=LOCAL)] == expected


def test_local_on_a_node_without_a_name_is_nobody() -> None:
    assert admitted([State(endpoint(0))], rules=Rules(local_only=True)) == []


@pytest.mark.parametrize(
    ("prefer", "fields", "expected"),
    [
        pytest.param("Any", [HERE, NEAR, FAR], [0, 1, 2], id="any"),
        pytest.param("Zone", [HERE, NEAR, FAR], [0, 1], id="zone"),
        pytest.param("Node", [HERE, NEAR, FAR], [0], id="node"),
        pytest.param("Node", [NEAR, FAR], [0], id="node falls back to zone"),
        pytest.param("Node", [FAR, FAR], [0, 1], id="node falls back to all"),
        pytest.param("Zone", [FAR], [0], id="zone falls back to all"),
        pytest.param("Zone", [{}, {}], [0, 1], id="endpoints that say nothing"),
    ],
)
def test_near_ones_first(
    prefer: Literal["Any", "Zone", "Node"], fields: list[dict[str, object]], expected: list[int]
) -> None:
    states = [State(endpoint(number, **each)) for number, each in enumerate(fields)]
    rules = Rules(node="n1", zone="z1", prefer=prefer)
    assert [states.index(state) for state in eligible(states, 10.0, rules)] == expected


def hinted(*zones: str, nodes: tuple[str, ...] = ()) -> dict[str, object]:
    return {"hints": Hints(zones, nodes)}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param([hinted("z1"), hinted("z2"), hinted("z2", "z1")], [0, 2], id="of this zone"),
        pytest.param([hinted("z2"), hinted("z3")], [0, 1], id="none for this zone, so all"),
        pytest.param([hinted("z1"), FAR], [0, 1], id="one without, so none counts"),
        pytest.param([hinted("z1"), hinted("z2"), FAR | UNREADY], [0], id="one without that is not ready is not asked"),
        pytest.param([hinted("z1", nodes=("n2",)), hinted("z2", nodes=("n1",))], [1], id="node before zone"),
        pytest.param([hinted("z1", nodes=("n2",)), hinted("z2", nodes=("n3",))], [0], id="no node, so zone"),
        pytest.param(
            [hinted("z1", nodes=("n1",)), hinted("z1"), hinted("z2")], [0, 1], id="not all of them name nodes"
        ),
        pytest.param([hinted(nodes=("n2",)), hinted("z1")], [0, 1], id="neither kind is complete"),
    ],
)
def test_hints_of_slices(fields: list[dict[str, object]], expected: list[int]) -> None:
    states = [State(endpoint(number, **each)) for number, each in enumerate(fields)]
    assert [states.index(state) for state in eligible(admitted(states), 10.0, NEARBY)] == expected
    for unheeded in (Rules(node="n1", zone="z1", hints=False), Rules(True, node="n1", zone="z1")):
        assert len(eligible(admitted(states), 10.0, unheeded)) == len(admitted(states))


NEARBY = Rules(node="n1", zone="z1")


def test_hints_come_before_what_is_preferred_and_give_way_to_failures() -> None:
    far, near = endpoint(0, **FAR, **hinted("z1")), endpoint(1, **HERE, **hinted("z2"))
    states = [State(far), State(near)]
    assert eligible(states, 10.0, Rules(node="n1", zone="z1", prefer="Zone")) == states[:1]
    states[0].set_aside_until = 11.0
    assert eligible(states, 10.0, Rules(node="n1", zone="z1", prefer="Zone")) == states[1:]


def test_hints_for_elsewhere_leave_nothing_to_prefer() -> None:
    states = [State(endpoint(0, **FAR, **hinted("z2"))), State(endpoint(1, **HERE, **hinted("z3")))]
    assert eligible(states, 10.0, Rules(node="n1", zone="z1", prefer="Node")) == states


def test_one_that_fails_and_has_no_hint_leaves_none_that_counts() -> None:
    states = [State(endpoint(0, **hinted("z1"))), State(endpoint(1, **hinted("z2"))), State(endpoint(2, **FAR))]
    states[2].set_aside_until = 11.0
    assert eligible(states, 10.0, NEARBY) == states[:2]


def test_what_is_near_and_failing_gives_way_to_what_is_far() -> None:
    states = [State(endpoint(0, **HERE), set_aside_until=11.0), State(endpoint(1, **FAR)), State(endpoint(2, **FAR))]
    assert eligible(states, 10.0, Rules(node="n1", zone="z1", prefer="Node")) == states[1:]


def test_an_unknown_zone_is_no_zone() -> None:
    states = [State(endpoint(0)), State(endpoint(1, zone="z1"))]
    assert eligible(states, 10.0, Rules(prefer="Zone")) == states


@pytest.mark.parametrize(
    ("tiers", "failing", "panic", "failover", "expected"),
    [
        pytest.param("00", "", 50, 50, "01", id="one tier"),
        pytest.param("0011", "", 50, 50, "01", id="the first tier alone"),
        pytest.param("5577", "", 50, 50, "01", id="tiers are numbers of any size"),
        pytest.param("0011", "0", 50, 50, "1", id="half is enough"),
        pytest.param("00011", "01", 50, 50, "234", id="under half: the next joins in"),
        pytest.param("00011", "01", 50, 0, "2", id="strictly, as SRV has it"),
        pytest.param("00011", "012", 50, 0, "34", id="strictly, when nobody is left"),
        pytest.param("00011", "01234", 50, 50, "012", id="panic: nobody anywhere, so the first tier"),
        pytest.param("00011", "0123", 50, 50, "4", id="half of the second tier is enough not to panic"),
        pytest.param("0001112", "01345", 50, 50, "26", id="each tier gives what it has left"),
        pytest.param("0000", "012", 50, 50, "0123", id="panic: a quarter left"),
        pytest.param("0000", "012", 25, 50, "3", id="panic later"),
        pytest.param("0000", "012", 0, 50, "3", id="panic never"),
        pytest.param("0000", "0123", 0, 50, "", id="panic never, and nobody left"),
        pytest.param("0000", "01", 100, 50, "0123", id="panic at once"),
    ],
)
def test_tiers_and_panic(tiers: str, failing: str, panic: int, failover: int, expected: str) -> None:
    states = [State(endpoint(n, tier=int(tier)), unhealthy=str(n) in failing) for n, tier in enumerate(tiers)]
    rules = Rules(panic_below=panic, failover_below=failover)
    assert "".join(str(states.index(state)) for state in eligible(states, 10.0, rules)) == expected


def test_without_panic_ejection_alone_does_not_take_the_last() -> None:
    aside, sick = State(endpoint(0), set_aside_until=11.0), State(endpoint(1), unhealthy=True)
    assert eligible([aside, sick], 10.0, Rules(panic_below=0)) == [aside]


def test_panic_never_overrides_readiness() -> None:
    states = [State(endpoint(0, ready=False)), State(endpoint(1), unhealthy=True)]
    assert eligible(admitted(states), 10.0) == states[1:]


FIELDS = st.fixed_dictionaries(
    {"weight": st.integers(0, 2), "tier": st.integers(0, 2), "node": st.sampled_from(["", "n1", "n2"]),
     "zone": st.sampled_from(["", "z1", "z2"])}
)  # fmt: skip


@given(
    st.lists(st.tuples(FIELDS, st.booleans(), st.booleans()), max_size=8),
    st.sampled_from(["Any", "Zone", "Node"]),
    st.integers(0, 100),
    st.integers(1, 100),
)
def test_with_panic_somebody_is_always_picked(
    given_states: list[tuple[dict[str, object], bool, bool]],
    prefer: Literal["Any", "Zone", "Node"],
    failover: int,
    panic: int,
) -> None:
    states = [
        State(endpoint(number, **fields), 11.0 if aside else 0.0, sick)
        for number, (fields, aside, sick) in enumerate(given_states)
    ]
    rules = Rules(node="n1", zone="z1", prefer=prefer, failover_below=failover, panic_below=panic)
    picked = eligible(states, 10.0, rules)
    assert bool(picked) is bool(states)
    assert len({id(state) for state in picked}) == len(picked)
    assert set(map(id, picked)) <= set(map(id, states))
    if any(state.endpoint.weight for state in states):
        assert all(state.endpoint.weight for state in picked)
