"""Exact numbers: nothing hangs on the last bit of a float."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.autoscaling.reading import UNIT, Ratio, Tolerance, amount, quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", UNIT), ("100m", UNIT // 10), ("2k", 2000 * UNIT), ("1Ki", 1024 * UNIT), ("1n", 1), ("0.1n", 1)],
)
def test_quantities(text: str, number: int) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize(
    ("ratio", "count", "product"),
    [
        (Ratio(11, 10), 10, 11),
        (Ratio(110, 100), 100, 110),
        (Ratio(7, 100), 100, 7),
        (Ratio(1, 3), 3, 1),
        (Ratio(4, 3), 3, 4),
        (Ratio(0, 5), 9, 0),
    ],
)
def test_products_are_rounded_up_and_never_for_nothing(ratio: Ratio, count: int, product: int) -> None:
    assert ratio.of(count) == product


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.integers(0, 1000))
def test_a_product_is_the_least_that_is_enough(over: int, under: int, count: int) -> None:
    product = Ratio(over, under).of(count)
    assert product * under >= count * over
    assert product == 0 or (product - 1) * under < count * over


def test_direction_and_value() -> None:
    assert (Ratio(3, 2).up, Ratio(3, 2).down, Ratio(2, 2).up, Ratio(2, 2).down, Ratio(1, 2).down) == (
        True, False, False, False, True,
    )  # fmt: skip
    assert Ratio(3, 2).value == 1.5


@pytest.mark.parametrize(("percent", "holds"), [(110, True), (111, False), (90, True), (89, False), (100, True)])
def test_the_tolerance_is_inclusive(percent: int, holds: bool) -> None:
    assert Tolerance().holds(Ratio(percent, 100)) is holds


def test_amounts() -> None:
    assert amount(0.1) * 3 == amount(0.3)
