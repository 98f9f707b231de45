"""Decision tables after the rules that Kubernetes documents for Deployments, each case named by its rule."""

from __future__ import annotations

from typing import Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.meta import IntOrString
from config.resources.workloads import DeploymentStrategy, RollingUpdate
from discovery.workloads.rollout import Copy, Group, Wanted, limits, next_sizes, surplus

ROLLING = DeploymentStrategy()
RECREATE = DeploymentStrategy(type="Recreate")


def rolling(surge: IntOrString, unavailable: IntOrString) -> DeploymentStrategy:
    return DeploymentStrategy(rolling_update=RollingUpdate(max_surge=surge, max_unavailable=unavailable))


def groups(text: str) -> list[Group]:
    """``old=3/2`` is a group of 3 of which 2 are available; ``old=0/0+2``: and 2 more exist, terminating."""
    found = []
    for word in text.split():
        digest, _, numbers = word.partition("=")
        numbers, _, ending = numbers.partition("+")
        size, _, available = numbers.partition("/")
        found.append(Group(digest, int(size), int(available or 0), int(size) + int(ending or 0)))
    return found


def sizes(text: str) -> dict[str, int]:
    return {group.digest: group.size for group in groups(text)}


class Case(NamedTuple):
    desired: int
    state: str
    expected: str
    strategy: DeploymentStrategy = ROLLING
    before: int | None = None
    """None: the number has not changed."""
    paused: bool = False
    new: str = "new"


STEPS = {
    # Creating
    "a new Deployment has all its replicas at once": Case(3, "", "new=3"),
    "a new Deployment of none": Case(0, "", ""),
    "nothing to do": Case(3, "new=3/3", ""),
    "nothing to do though none is available": Case(3, "new=3/0", ""),
    "without a template that runs nothing is made": Case(3, "", "", new=""),
    "without a template that runs the old ones stay": Case(3, "old=3/3", "", new=""),
    # maxSurge: how many more than desired
    "surge: 25 % of 3 is 1, rounded up": Case(3, "old=3/3", "new=1"),
    "surge: 25 % of 4 is 1": Case(4, "old=4/4", "new=1"),
    "surge: 25 % of 10 is 3, rounded up": Case(10, "old=10/10", "new=3"),
    "surge: of one there is one more": Case(1, "old=1/1", "new=1"),
    "surge: 100 % brings all new ones at once": Case(3, "old=3/3", "new=3", rolling("100%", 0)),
    "surge: never more new ones than desired": Case(3, "old=3/3", "new=3", rolling(10, 0)),
    "surge: as a number": Case(5, "old=5/5", "new=2", rolling(2, 0)),
    "surge: unavailable old replicas count in the total": Case(4, "old=4/0 new=1/0", "old=3"),
    "surge: what is used up is used up": Case(3, "old=3/3 new=1/0", "", rolling(1, 0)),
    "surge: room that an old replica left is filled": Case(3, "old=2/2 new=1/1", "new=2"),
    "surge: terminating replicas do not count": Case(3, "old=2/2+1 new=1/1", "new=2"),
    "surge: one new at a time with surge 1": Case(10, "old=10/10", "new=1", rolling(1, 0)),
    # maxUnavailable: how many fewer available ones than desired
    "unavailable: 25 % of 3 is 0, rounded down": Case(3, "old=3/3 new=1/0", ""),
    "unavailable: 25 % of 4 is 1": Case(4, "old=4/4 new=1/0", "old=3"),
    "unavailable: 25 % of 10 is 2, rounded down": Case(10, "old=10/10 new=3/0", "old=8"),
    "unavailable: without surge old ones go first": Case(3, "old=3/3", "old=2", rolling(0, 1)),
    "unavailable: then new ones come": Case(3, "old=2/2", "new=1", rolling(0, 1)),
    "unavailable: not more go before a new one is available": Case(3, "old=2/2 new=1/0", "", rolling(0, 1)),
    "unavailable: then the next": Case(3, "old=2/2 new=1/1", "old=1", rolling(0, 1)),
    "unavailable: 100 % lets all old ones go": Case(3, "old=3/3", "old=0", rolling(0, "100%")),
    "unavailable: more than there are is all of them": Case(2, "old=2/2", "old=0", rolling(0, 5)),
    "unavailable: neither surge nor unavailable means one fewer": Case(2, "old=2/2", "old=1", rolling(0, 0)),
    "unavailable: both percentages come to 0, so one fewer": Case(3, "old=3/3", "old=2", rolling("0%", "20%")),
    "unavailable: one new available lets one old go": Case(3, "old=3/3 new=1/1", "old=2"),
    "unavailable: the only one stays until the new one is available": Case(1, "old=1/1 new=1/0", ""),
    "unavailable: the only one goes then": Case(1, "old=1/1 new=1/1", "old=0"),
    # Old ones that are not available go first
    "unhealthy: an old one that is not available goes before others": Case(4, "old=4/3 new=1/0", "old=3"),
    "unhealthy: it goes though none more may be unavailable": Case(3, "old=3/2 new=1/1", "old=2", rolling(1, 0)),
    "unhealthy: all of a broken old revision but what new ones hold back": Case(3, "bad=3/0 new=1/0", "", ROLLING),
    "unhealthy: broken old ones give way as new ones come": Case(3, "bad=3/0 new=1/1", "bad=2"),
    "unhealthy: of several old revisions the oldest gives first": Case(4, "a=2/2 b=2/0 new=1/1", "b=0"),
    "unhealthy: the broken one between two goes": Case(3, "old=3/3 bad=1/0 new=0/0", "bad=0", rolling(1, 0)),
    # A new revision that does not become available
    "stuck: nothing more is taken down": Case(3, "old=3/3 new=1/0", ""),
    "stuck: with 25 % of 4 one old is gone and it stays so": Case(4, "old=3/3 new=2/0", ""),
    "stuck: 10 with 3 more and 2 fewer": Case(10, "old=8/8 new=5/0", "", rolling(3, 2)),
    "stuck: a third revision takes the place of the second": Case(3, "old=3/3 bad=1/0", "bad=0", rolling(1, 0)),
    # Rollover: another template in the midst of a rollout
    "rollover: the newest grows, both older ones shrink": Case(4, "a=3/3 b=2/2 new=0/0", "a=1"),
    "rollover: a revision before it was wholly there": Case(5, "a=5/0", "new=2"),
    "rollover: and what of it is not available goes": Case(5, "a=5/0 new=2/0", "a=4"),
    "undo: the old group grows again": Case(3, "new=3/3 bad=1/0", "bad=0"),
    "undo: in the midst of it the group that is grown is the wanted one": Case(3, "new=2/2 bad=2/1", "bad=1"),
    # Too many of the new
    "scale down: the new group is cut to what is desired": Case(2, "new=3/3", "new=2"),
    "scale down: though old ones are there": Case(2, "old=1/1 new=3/3", "new=2"),
    # Another number of replicas
    "scale: the only group takes the number": Case(5, "new=3/3", "new=5", before=3),
    "scale: before the new template is rolled out, the old group takes it": Case(5, "old=3/3", "old=5", before=3),
    "scale: from nothing": Case(3, "new=0/0", "new=3", before=0),
    "scale: to nothing": Case(0, "new=3/3", "new=0", before=3),
    "scale: to nothing in the midst": Case(0, "old=2/2 new=2/1", "old=0 new=0", before=3),
    "scale: in proportion, as Kubernetes documents it": Case(
        15, "old=8/8 new=5/0", "old=11 new=7", rolling(3, 2), before=10
    ),
    "scale: down in proportion": Case(5, "old=8/8 new=5/0", "old=5 new=3", rolling(3, 2), before=10),
    "scale: what rounding leaves goes to the largest": Case(
        11, "old=5/5 new=4/4 a=4/4", "old=6", rolling(3, 2), before=10
    ),
    "scale: of two as large the newer grows first": Case(4, "old=2/2 new=2/2", "new=3", rolling(1, 0), before=3),
    "scale: of two as large the older shrinks first": Case(2, "old=2/2 new=2/2", "old=1", rolling(1, 0), before=3),
    "scale: the same number is no scaling": Case(3, "old=3/3", "new=1", before=3),
    "scale: Recreate shares nothing out": Case(5, "old=1/1 new=1/1", "", RECREATE, before=3),
    # Paused
    "paused: no rollout": Case(3, "old=3/3", "", paused=True, before=3, new="old"),
    "paused: nor in the midst of it": Case(4, "old=4/4 new=1/0", "", paused=True, before=4),
    "paused: a new Deployment makes nothing": Case(3, "", "", paused=True, new=""),
    "paused: scaled all the same": Case(5, "old=3/3", "old=5", paused=True, before=3, new="old"),
    "paused: scaled in proportion": Case(15, "old=8/8 new=5/0", "old=11 new=7", rolling(3, 2), before=10, paused=True),
    "paused: a complete rollout lets go of the old": Case(3, "old=1/1 new=3/3", "old=0", paused=True, before=3),
    # Recreate
    "recreate: all old ones go first": Case(3, "old=3/3", "old=0", RECREATE),
    "recreate: those of all revisions": Case(3, "a=1/1 b=2/0", "a=0 b=0", RECREATE),
    "recreate: nothing new while one is still terminating": Case(3, "old=0/0+1", "", RECREATE),
    "recreate: then all new ones": Case(3, "old=0/0", "new=3", RECREATE),
    "recreate: a new Deployment": Case(3, "", "new=3", RECREATE),
    "recreate: complete": Case(3, "new=3/3", "", RECREATE),
    "recreate: scaled": Case(1, "new=3/3", "new=1", RECREATE, before=3),
}


@pytest.mark.parametrize("name", STEPS)
def test_step(name: str) -> None:
    case = STEPS[name]
    before = case.desired if case.before is None else case.before
    wanted = Wanted(case.desired, case.strategy, case.paused, before)
    assert next_sizes(wanted, groups(case.state), case.new) == sizes(case.expected)


def test_there_are_as_many_cases_as_rules_need() -> None:
    assert len(STEPS) >= 60


def test_a_group_that_was_found_is_no_scaling() -> None:
    assert next_sizes(Wanted(5, ROLLING), groups("new=3/3"), "new") == {"new": 5}


TRACES = {
    "3 with the defaults, as kubectl describe shows it": (
        3, ROLLING, ["new=1", "old=2", "new=2", "old=1", "new=3", "old=0"],
    ),
    "one": (1, ROLLING, ["new=1", "old=0"]),
    "2 without surge": (2, rolling(0, 1), ["old=1", "new=1", "old=0", "new=2"]),
    "4 with one more and one fewer": (
        4, ROLLING, ["new=1", "old=3", "new=2", "old=1", "new=4", "old=0"],
    ),
    "3 at once": (3, rolling("100%", 0), ["new=3", "old=0"]),
    "3 recreated": (3, RECREATE, ["old=0", "new=3"]),
}  # fmt: skip


@pytest.mark.parametrize("name", TRACES)
def test_trace(name: str) -> None:
    """Each replica becomes available, and each that goes is gone, before the next thing happens to sizes."""
    desired, strategy, expected = TRACES[name]
    state = {"old": desired, "new": 0}
    seen: list[str] = []
    available = dict(state)
    while len(seen) <= len(expected):
        there = [Group(digest, size, min(size, available[digest]), size) for digest, size in state.items()]
        step = next_sizes(Wanted(desired, strategy, before=desired), there, "new")
        if not step and available == state:
            break
        if not step:
            available = dict(state)
        for digest, size in step.items():
            state[digest] = size
            available[digest] = min(size, available[digest])
            seen.append(f"{digest}={size}")
    assert seen == expected


@pytest.mark.parametrize(
    ("desired", "strategy", "expected"),
    [
        (10, rolling("25%", "25%"), (3, 2)),
        (3, rolling("25%", "25%"), (1, 0)),
        (4, rolling("25%", "25%"), (1, 1)),
        (1, rolling(0, 5), (0, 1)),
        (4, rolling(2, "50%"), (2, 2)),
        (4, rolling(0, "10%"), (0, 1)),
        (0, rolling("25%", "25%"), (0, 0)),
        (7, rolling("30%", "30%"), (3, 2)),
        (100, rolling("1%", "0%"), (1, 0)),
        (5, RECREATE, (0, 0)),
    ],
)
def test_limits(desired: int, strategy: DeploymentStrategy, expected: tuple[int, int]) -> None:
    assert limits(desired, strategy) == expected


def copies(text: str) -> list[Copy]:
    """``R5`` has been ready since 5, ``n5`` has not; with a minus it is terminating."""
    return [
        Copy(f"{index}", "a", word[0] == "R", float(word[1:].rstrip("-")), word.endswith("-"))
        for index, word in enumerate(text.split())
    ]


SURPLUS: dict[str, tuple[int, str, set[str], list[str]]] = {
    "none": (2, "R1 R2", set(), []),
    "fewer than there are to be": (3, "R1 R2", set(), []),
    "terminating ones are gone already": (1, "R1 R2-", set(), []),
    "not ready before ready": (1, "n9 R1", set(), ["0"]),
    "ready for a shorter time before longer": (1, "R5 R1", set(), ["0"]),
    "the newest of equals": (1, "R1 R1 R1", set(), ["2", "1"]),
    "victims before all others": (2, "R1 n1 R2", {"0"}, ["0"]),
    "victims that are not there": (1, "R1 R2", {"9"}, ["1"]),
    "all": (0, "R1 n2", set(), ["1", "0"]),
}


@pytest.mark.parametrize("name", SURPLUS)
def test_surplus(name: str) -> None:
    size, there, victims, expected = SURPLUS[name]
    assert surplus(size, copies(there), victims) == expected


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        (Copy("0", "a", True, 90), True),
        (Copy("0", "a", True, 91), False),
        (Copy("0", "a", False, 0), False),
    ],
)
def test_available_after_min_ready_seconds(copy: Copy, expected: bool) -> None:
    assert copy.available(100, 10) is expected


def test_without_min_ready_seconds_the_clock_does_not_count() -> None:
    assert Copy("0", "a", True, 200).available(100, 0)


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
    state = {"old": before, "new": 0}
    available = {"old": before, "new": 0}
    leaving = 0
    for _ in range(200):
        there = [
            Group(digest, size, available[digest], size + (leaving if digest == "old" else 0))
            for digest, size in state.items()
        ]
        step = next_sizes(Wanted(desired, strategy, before=desired), there, "new")
        for digest, size in step.items():
            leaving += max(0, state[digest] - size)
            unready = state[digest] - available[digest]
            available[digest] -= max(0, state[digest] - size - unready)
            state[digest] = size
        assert sum(state.values()) <= max(before, desired + more)
        if kind == "RollingUpdate":
            assert sum(available.values()) >= min(before, desired - fewer)
        waiting = [digest for digest in state if available[digest] < state[digest]] + ["gone"] * bool(leaving)
        if not step and not waiting:
            break
        if waiting and not step:  # one thing happens: a replica is gone, or has become available
            event = data.draw(st.sampled_from(waiting))
            leaving -= event == "gone"
            available |= {event: available[event] + 1} if event != "gone" else {}
    assert state == {"old": 0, "new": desired}
