"""The nearest right spelling."""

from __future__ import annotations

import pytest

from config.suggestions import did_you_mean

NEAR = [
    ("targetport", "targetPort"),
    ("TARGETPORT", "targetPort"),
    ("tagetPort", "targetPort"),
    ("Servce", "Service"),
    ("xyz", None),
    ("", None),
]


@pytest.mark.parametrize(("wrong", "near"), NEAR)
def test_did_you_mean(wrong: str, near: str | None) -> None:
    expected = f'; did you mean "{near}"?' if near else ""
    assert did_you_mean(wrong, ("port", "targetPort", "Service")) == expected


def test_far_words_and_endless_ones_get_no_suggestion() -> None:
    assert did_you_mean("htp", ["admin"]) == ""
    assert did_you_mean("x" * 100_000, ["admin"]) == ""
