"""Dividing a workload's replicas over the places that run it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.autoscaling.shares import divided

CASES: dict[str, tuple[int, dict[str, int], tuple[str, ...], dict[str, int]]] = {
    "one place": (5, {"a": 2}, (), {"a": 5}),
    "nothing changes": (4, {"a": 3, "b": 1}, (), {"a": 3, "b": 1}),
    "more where there are fewest": (6, {"a": 3, "b": 1}, (), {"a": 3, "b": 3}),
    "of equals the first by name": (3, {"b": 1, "a": 1}, (), {"a": 2, "b": 1}),
    "fewer where those are that go": (2, {"a": 2, "b": 2}, ("b", "b"), {"a": 2, "b": 0}),
    "and then where there are most": (2, {"a": 3, "b": 1}, (), {"a": 1, "b": 1}),
    "no more go than must": (3, {"a": 2, "b": 2}, ("b", "b"), {"a": 2, "b": 1}),
    "somebody goes from where nobody is": (1, {"a": 2, "b": 0}, ("b",), {"a": 1, "b": 0}),
    "to zero": (0, {"a": 2, "b": 1}, (), {"a": 0, "b": 0}),
    "from zero": (1, {"a": 0, "b": 0}, (), {"a": 1, "b": 0}),
}


@pytest.mark.parametrize("case", CASES)
def test_shares(case: str) -> None:
    total, there, going, shares = CASES[case]
    assert divided(total, there, going) == shares


def test_who_cannot_be_told_gets_more_only_if_there_is_no_other() -> None:
    assert divided(1, {"a": 0, "b": 0}, away={"a"}) == {"a": 0, "b": 1}
    assert divided(4, {"a": 1, "b": 2}, away={"a"}) == {"a": 1, "b": 3}
    assert divided(1, {"a": 0}, away={"a"}) == {"a": 1}


def test_no_place() -> None:
    with pytest.raises(ValueError, match="no place"):
        divided(1, {})


@given(
    st.integers(0, 50), st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9), min_size=1),
    st.lists(st.sampled_from("abcde"), max_size=9),
)  # fmt: skip
def test_all_are_placed_and_nobody_moves(total: int, there: dict[str, int], going: list[str]) -> None:
    shares = divided(total, there, going)
    assert (sum(shares.values()), shares.keys()) == (total, there.keys())
    grew = total >= sum(there.values())
    assert all(shares[place] >= before if grew else shares[place] <= before for place, before in there.items())
