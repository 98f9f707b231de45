"""Quantities: the table of apimachinery's suffixes, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.quantity import parse_quantity
from tests.texts import DIGITS, begun


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("1", 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1),
        ("+2", 2),
        ("-2", -2),
        ("100m", 0.1),
        ("5u", 5e-6),
        ("5n", 5e-9),
        ("2k", 2000),
        ("3M", 3e6),
        ("1G", 1e9),
        ("1T", 1e12),
        ("1P", 1e15),
        ("1E", 1e18),
        ("1Ki", 1024),
        ("128Mi", 128 * 2**20),
        ("1Gi", 2**30),
        ("1Ti", 2**40),
        ("1Pi", 2**50),
        ("1Ei", 2**60),
        ("2e3", 2000),
        ("2E-3", 0.002),
    ],
)
def test_values(text: str, number: float) -> None:
    assert parse_quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "m", "1 Mi", "1mi", "1K", "1,5", "0x10", "1e", "nan", "inf", "1" * 40, "1e999"])
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


FRACTIONS = st.just("") | begun(DIGITS, DIGITS, 2).map(".{}".format)
SUFFIXES = st.sampled_from(["", "m", "k", "Mi", "Gi"])


@given(st.builds("{}{}{}".format, begun(DIGITS, DIGITS, 8), FRACTIONS, SUFFIXES))
def test_never_negative_without_a_sign(text: str) -> None:
    assert parse_quantity(text) >= 0
