from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.meta import IntOrString
from config.resources.workloads import DeploymentStrategy, RollingUpdate
from discovery.workloads.rollout import Copy, Plan, limits, plan

ROLLING = DeploymentStrategy()
RECREATE = DeploymentStrategy(type="Recreate")


def rolling(surge: IntOrString, unavailable: IntOrString) -> DeploymentStrategy:
    return DeploymentStrategy(rolling_update=RollingUpdate(max_surge=surge, max_unavailable=unavailable))


def copies(text: str) -> list[Copy]:
    """``old`` and ``new``; in capitals when ready, with a minus when terminating."""
    return [
        Copy(f"{index}", word.lower().startswith("new"), word.strip("-").isupper(), word.endswith("-"))
        for index, word in enumerate(text.split())
    ]


STEPS: dict[str, tuple[int, DeploymentStrategy, str, Plan]] = {
    "from nothing": (3, ROLLING, "", Plan(3)),
    "complete": (2, ROLLING, "NEW new", Plan()),
    "one was lost": (2, ROLLING, "NEW new-", Plan(1)),
    "scaled up": (3, ROLLING, "NEW", Plan(2)),
    "scaled down: not ready goes first": (1, ROLLING, "new NEW", Plan(0, ("0",))),
    "scaled down: the newest goes first": (1, ROLLING, "NEW NEW NEW", Plan(0, ("2", "1"))),
    "to nothing": (0, ROLLING, "NEW old new-", Plan(0, ("1", "0"))),
    "one: new one first": (1, ROLLING, "OLD", Plan(1)),
    "one: old one stays until the new one is ready": (1, ROLLING, "OLD new", Plan()),
    "one: then it goes": (1, ROLLING, "OLD NEW", Plan(0, ("0",))),
    "one: then it is gone": (1, ROLLING, "OLD- NEW", Plan()),
    "four: one more, one fewer": (4, ROLLING, "OLD OLD OLD OLD", Plan(1, ("3",))),
    "four: next": (4, ROLLING, "OLD OLD OLD OLD- new", Plan(1)),
    "four: and next": (4, ROLLING, "OLD OLD OLD OLD- NEW new", Plan(0, ("2",))),
    "old ones that are not ready go first": (4, ROLLING, "OLD old OLD OLD", Plan(1, ("1",))),
    "a template that never gets ready takes nothing down": (4, ROLLING, "OLD OLD OLD new new", Plan()),
    "no surge": (2, rolling(0, 1), "OLD OLD", Plan(0, ("1",))),
    "no surge, one gone": (2, rolling(0, 1), "OLD OLD-", Plan(1)),
    "neither means one fewer": (2, rolling(0, 0), "OLD OLD", Plan(0, ("1",))),
    "all at once": (2, rolling("100%", 0), "OLD OLD", Plan(2)),
    "recreate: all old ones stop": (2, RECREATE, "OLD OLD", Plan(0, ("0", "1"))),
    "recreate: wait until they are gone": (2, RECREATE, "OLD- OLD-", Plan()),
    "recreate: then start": (2, RECREATE, "", Plan(2)),
    "recreate: scale down": (1, RECREATE, "NEW NEW", Plan(0, ("1",))),
}


@pytest.mark.parametrize("name", STEPS)
def test_step(name: str) -> None:
    desired, strategy, state, expected = STEPS[name]
    assert plan(desired, strategy, copies(state)) == expected


def test_victims_go_first() -> None:
    assert plan(2, ROLLING, copies("NEW NEW new"), {"0"}) == Plan(0, ("0",))
    assert plan(1, ROLLING, copies("OLD OLD NEW"), {"0"}) == Plan(0, ("0", "1"))


@pytest.mark.parametrize(
    ("desired", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (3, 2)),
        (3, "25%", "25%", (1, 0)),
        (1, 0, 5, (0, 1)),
        (4, 2, "50%", (2, 2)),
        (4, 0, "10%", (0, 1)),
    ],
)
def test_limits(desired: int, surge: IntOrString, unavailable: IntOrString, expected: tuple[int, int]) -> None:
    assert limits(desired, rolling(surge, unavailable)) == expected


Kind = Literal["RollingUpdate", "Recreate"]


@given(
    desired=st.integers(0, 12),
    before=st.integers(0, 12),
    surge=st.integers(0, 4),
    unavailable=st.integers(0, 4),
    kind=st.sampled_from(["RollingUpdate", "Recreate"]),
    data=st.data(),
)
def test_every_rollout_ends_and_keeps_its_promises(
    desired: int, before: int, surge: int, unavailable: int, kind: Kind, data: st.DataObject
) -> None:
    strategy = DeploymentStrategy(type=kind, rolling_update=RollingUpdate(surge, unavailable))
    more, fewer = limits(desired, strategy)
    state = [Copy(f"old{index}", current=False, ready=True) for index in range(before)]
    for round_ in range(200):
        step = plan(desired, strategy, state)
        if step == Plan() and all(copy.current and copy.ready for copy in state):
            break
        state = [copy._replace(terminating=copy.terminating or copy.id in step.stop) for copy in state]
        state += [Copy(f"new{round_}-{index}", current=True, ready=False) for index in range(step.start)]
        alive = [copy for copy in state if not copy.terminating]
        assert len(alive) <= max(before, desired + more)
        if kind == "RollingUpdate":
            assert sum(copy.ready for copy in alive) >= min(before, desired - fewer)
        waiting = [copy for copy in state if copy.terminating or not copy.ready]
        if waiting:  # one thing happens: a replica is gone, or has become ready
            event = data.draw(st.sampled_from(waiting))
            state = [copy._replace(ready=True) if copy is event else copy for copy in state]
            state = [copy for copy in state if not (copy.id == event.id and event.terminating)]
    assert len(state) == desired
    assert all(copy.current and copy.ready and not copy.terminating for copy in state)
