from __future__ import annotations

from typing import NamedTuple

import pytest

from discovery.workloads.conditions import (
    AVAILABLE,
    CREATED,
    EXCEEDED,
    FOUND,
    NO_DEADLINE,
    PAUSED,
    RESUMED,
    UPDATED,
    Condition,
    Counts,
    available,
    begun,
    counts_down,
    pausing,
    progressing,
)

STARTED = Counts(desired=3, wanted=4, existing=4, updated=1, ready=3, available=3)
DONE = Counts(desired=3, wanted=3, existing=3, updated=3, ready=3, available=3)


class Case(NamedTuple):
    reason: str
    """Said before, at 100; the deadline is 10 seconds."""
    counts: Counts
    before: Counts
    now: float
    expected: tuple[str, str]
    deadline: float = 10


SAME = STARTED
CASES = {
    "nothing has happened": Case(CREATED, SAME, SAME, 105, ("True", CREATED)),
    "a new replica exists": Case(CREATED, SAME, SAME._replace(updated=0), 105, ("True", UPDATED)),
    "one more is ready": Case(UPDATED, SAME._replace(ready=4), SAME, 105, ("True", UPDATED)),
    "one more is available": Case(FOUND, SAME._replace(available=4), SAME, 105, ("True", UPDATED)),
    "an old one is gone": Case(CREATED, SAME._replace(existing=3), SAME, 105, ("True", UPDATED)),
    "complete": Case(UPDATED, DONE, SAME, 105, ("True", AVAILABLE)),
    "complete counts though the deadline has passed": Case(UPDATED, DONE, SAME, 200, ("True", AVAILABLE)),
    "just before the deadline": Case(UPDATED, SAME, SAME, 109.9, ("True", UPDATED)),
    "at the deadline": Case(UPDATED, SAME, SAME, 110, ("False", EXCEEDED)),
    "progress at the deadline": Case(UPDATED, SAME._replace(ready=4), SAME, 110, ("True", UPDATED)),
    "it stays exceeded": Case(EXCEEDED, SAME, SAME, 500, ("False", EXCEEDED)),
    "exceeded, and yet there is progress": Case(EXCEEDED, SAME._replace(ready=4), SAME, 500, ("True", UPDATED)),
    "exceeded, and yet complete": Case(EXCEEDED, DONE, SAME, 500, ("True", AVAILABLE)),
    "a complete one stays so when replicas fail": Case(
        AVAILABLE, DONE._replace(ready=1, available=1), DONE, 500, ("True", AVAILABLE)
    ),
    "resumed: the deadline counts from there": Case(RESUMED, SAME, SAME, 110, ("False", EXCEEDED)),
    "the largest number is no deadline": Case(UPDATED, SAME, SAME, 1e12, ("True", UPDATED), NO_DEADLINE),
    "losing ready ones is no progress": Case(UPDATED, SAME._replace(ready=1), SAME, 105, ("True", UPDATED)),
}


def condition(reason: str) -> Condition:
    status = {EXCEEDED: "False", PAUSED: "Unknown", RESUMED: "Unknown"}.get(reason, "True")
    return Condition("Progressing", status, reason, "before", 100, 100)


@pytest.mark.parametrize("name", CASES)
def test_progressing(name: str) -> None:
    case = CASES[name]
    before = condition(case.reason)
    found = progressing(before, case.counts, case.before, deadline=case.deadline, now=case.now, name="shop-abc")
    assert (found.status, found.reason) == case.expected
    assert found is before or found.updated == case.now
    assert found.changed == (100 if found.status == before.status else case.now)


def test_words() -> None:
    def words(counts: Counts, before: Counts, now: float) -> str:
        return progressing(condition(CREATED), counts, before, deadline=10, now=now, name="shop-abc").message

    assert words(DONE, STARTED, 105) == 'ReplicaSet "shop-abc" has successfully progressed.'
    assert words(STARTED, Counts(), 105) == 'ReplicaSet "shop-abc" is progressing.'
    assert words(STARTED, STARTED, 110) == 'ReplicaSet "shop-abc" has timed out progressing.'


@pytest.mark.parametrize(("anew", "reason"), [(True, CREATED), (False, FOUND)])
def test_begun(anew: bool, reason: str) -> None:
    assert begun("shop-abc", 5, anew=anew).reason == reason


PAUSES = {
    "paused": (UPDATED, True, PAUSED),
    "paused still": (PAUSED, True, PAUSED),
    "resumed": (PAUSED, False, RESUMED),
    "neither": (UPDATED, False, UPDATED),
    "an exceeded deadline stays said": (EXCEEDED, True, EXCEEDED),
}


@pytest.mark.parametrize("name", PAUSES)
def test_pausing(name: str) -> None:
    before, paused, expected = PAUSES[name]
    found = pausing(condition(before), paused=paused, now=200)
    assert found is not None
    assert found.reason == expected


def test_pausing_what_has_not_begun() -> None:
    assert pausing(None, paused=False, now=1) is None
    found = pausing(None, paused=True, now=1)
    assert found is not None
    assert (found.status, found.message) == ("Unknown", "Deployment is paused")


@pytest.mark.parametrize(
    ("there", "fewer", "status"), [(3, 0, "True"), (2, 0, "False"), (2, 1, "True"), (1, 1, "False")]
)
def test_available(there: int, fewer: int, status: str) -> None:
    found = available(None, Counts(desired=3, available=there), fewer, 10)
    assert (found.type, found.status) == ("Available", status)
    assert found.reason == f"MinimumReplicas{'Available' if status == 'True' else 'Unavailable'}"
    assert available(found, Counts(desired=3, available=there), fewer, 20) is found


def test_unavailable_are_those_that_are_wanted_and_lack() -> None:
    assert STARTED.unavailable == 1
    assert Counts(wanted=1, available=2).unavailable == 0


@pytest.mark.parametrize(
    ("reason", "expected"), [(CREATED, True), (RESUMED, True), (AVAILABLE, False), (EXCEEDED, False), (PAUSED, False)]
)
def test_a_deadline_runs_while_there_is_something_to_wait_for(reason: str, expected: bool) -> None:
    assert counts_down(condition(reason)) is expected
