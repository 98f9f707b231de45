"""Plain scalars by kubectl's rules (go-yaml v2 behind sigs.k8s.io/yaml)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from config.scalars import resolve
from tests.texts import texts

CASES = [
    ("text", "text"),
    ("", None),
    ("~", None),
    ("null", None),
    ("Null", None),
    ("nULL", "nULL"),
    ("yes", True),
    ("On", True),
    ("y", True),
    ("off", False),
    ("N", False),
    ("yEs", "yEs"),
    ("0", 0),
    ("80", 80),
    ("-1", -1),
    ("+2", 2),
    ("010", 8),
    ("-010", -8),
    ("0o10", 8),
    ("08", 8.0),
    ("0x1F", 31),
    ("0b11", 3),
    ("1_000", 1000),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("1.", 1.0),
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("1:30", "1:30"),
    ("10.0.0.1", "10.0.0.1"),
    ("25%", "25%"),
    ("100m", "100m"),
    ("2001-12-14", "2001-12-14"),
    ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
    ("-", "-"),
    ("...", "..."),
    ("9" * 40, 1e40),
]


@pytest.mark.parametrize(("text", "value"), CASES)
def test_plain_scalars(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number() -> None:
    found = resolve(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


@given(texts(200, "0123456789abcxoXeE+-._ ~nyft"))
def test_no_text_is_refused(text: str) -> None:
    resolve(text)


def test_a_number_of_many_digits_costs_nothing() -> None:
    assert resolve("9" * 1_000_000) == math.inf
