from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.durations import format_duration, parse_duration

RIGHT = [("300ms", 0.3), ("1s", 1), ("1m30s", 90), ("1.5h", 5400), ("0", 0), ("0s", 0), ("2us", 2e-6), (".5s", 0.5)]
WRONG = ["", "1", "1d", "s", "-1s", "1 s", "1s ", "1m30", "one", "1sm", "1" * 30 + "s"]


@pytest.mark.parametrize(("text", "seconds"), RIGHT)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration, such as 300ms"):
        parse_duration(text)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(["h", "m", "s", "ms"])), min_size=1, max_size=8))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    whole = "".join(f"{count}{unit}" for count, unit in parts)
    assert parse_duration(whole) == pytest.approx(sum(parse_duration(f"{count}{unit}") for count, unit in parts))


WRITTEN = [
    (0, "0s"),
    (0.3, "300ms"),
    (0.0025, "2.5ms"),
    (1, "1s"),
    (90, "1m30s"),
    (3600, "1h"),
    (5400.25, "1h30m0.25s"),
]


@pytest.mark.parametrize(("seconds", "text"), WRITTEN)
def test_how_durations_are_written(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1e6))
def test_what_is_written_is_read_again(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-9)
