"""The text format of metrics (Prometheus 0.0.4), and how long a node takes to end."""

from __future__ import annotations

import pytest

from config.settings import NodeConfigSpec
from mesh.exposition import Family, Sample, render

NOT_HERE = (("KEDA's triggers", "metrics of type External are asked of a Prometheus"),)


def page(family: Family) -> list[str]:
    text = b"".join(render([family])).decode()
    assert text.endswith("\n"), "the final newline is required"
    return text.split("\n")[:-1]


ODD = 'say "a\\b"\nand more'


def test_type_comes_before_samples() -> None:
    made = Family("weft_a", "gauge", "Text.", [Sample("weft_a", {}, 1), Sample("weft_a", {"b": "c"}, 2.5)])
    assert page(made) == ["# HELP weft_a Text.", "# TYPE weft_a gauge", "weft_a 1", 'weft_a{b="c"} 2.5']


def test_help_escapes_backslash_and_newline_alone() -> None:
    assert page(Family("weft_a", "gauge", ODD, []))[0] == r'# HELP weft_a say "a\\b"\nand more'


def test_label_values_escape_the_double_quote_too() -> None:
    assert page(Family("weft_a", "gauge", "", [Sample("weft_a", {"b": ODD}, 1)]))[-1] == (
        r'weft_a{b="say \"a\\b\"\nand more"} 1'
    )


@pytest.mark.parametrize(("value", "text"), [(float("inf"), "+Inf"), (float("-inf"), "-Inf"), (float("nan"), "NaN")])
def test_numbers_that_are_none(value: float, text: str) -> None:
    assert page(Family("weft_a", "gauge", "", [Sample("weft_a", {}, value)]))[-1] == f"weft_a {text}"


def test_a_node_that_ends_drains_for_thirty_seconds() -> None:
    assert NodeConfigSpec().drain_timeout == 30
