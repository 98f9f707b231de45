from __future__ import annotations

import pytest

from discovery.registry.content import RRset
from discovery.registry.doubt import HOLD_SECONDS, Doubt, Nodes
from discovery.registry.wire import A

NODE = (RRset(A, 5, (b"\1\2\3\4",)),)


def nodes(*numbers: int) -> Nodes:
    return {b"\1" + bytes((number,)) + b"\0": NODE for number in numbers}


TEN = nodes(*range(10))
CASES: dict[str, tuple[Nodes, bool, bool]] = {
    "all of it": (TEN, False, False),
    "more": (nodes(*range(20)), False, False),
    "one in five is gone": (nodes(*range(8)), False, False),
    "more than that": (nodes(*range(7)), False, True),
    "all is gone": ({}, False, True),
    "what must be there, alone": (nodes(*range(9)), True, True),
    "what must be there, in a name that is": (TEN, True, True),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_believed(case: str) -> None:
    offered, lacks, expected = CASES[case]
    doubt, asked = Doubt(), list[Nodes]()
    doubt.lacks += [lambda there: bool(asked.append(there)) or lacks, lambda there: bool(asked.append(there))]
    assert bool(doubt.holds(TEN, offered, 7.0)) is expected
    assert asked == [offered, offered]


def test_what_begins_to_be_there_again_is_believed_once_all_is() -> None:
    doubt = Doubt()
    assert doubt.holds(TEN, {}, 7.0) == "it lacks 10 of 10 names that were there"
    assert doubt.holds(TEN, nodes(*range(9)), 7.1) == "it lacks 1 of 10 names that were there"
    assert doubt.holds(TEN, TEN, 7.2) == ""
    assert doubt.holds(TEN, nodes(*range(9)), 7.3) == "", "that is another matter"


def test_it_is_not_held_for_long() -> None:
    doubt = Doubt()
    assert doubt.holds(TEN, {}, 7.0)
    assert doubt.holds(TEN, {}, 7.0 + HOLD_SECONDS - 0.01)
    assert not doubt.holds(TEN, {}, 7.0 + HOLD_SECONDS)
    assert doubt.holds(TEN, {}, 9.0 + HOLD_SECONDS), "and each loss by itself"


def test_what_was_doubted_before_a_difference_fitted_was_another_matter() -> None:
    doubt = Doubt()
    assert doubt.holds(TEN, {}, 7.0)
    doubt.settle()
    assert doubt.holds(TEN, {}, 7.0 + HOLD_SECONDS), "its time begins anew"
