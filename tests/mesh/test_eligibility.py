"""Who may be picked, by table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from discovery.endpoint import Endpoint
from mesh.eligibility import admitted, eligible
from tests.mesh.making import endpoint


@dataclass(eq=False)
class State:
    endpoint: Endpoint
    set_aside_until: float = 0.0

    @property
    def weight(self) -> int:
        return self.endpoint.weight


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
