"""What a question's run found: rows of figures, each with the mark it is held to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One figure.  `held_to` is the requirement in words; `met` None where nothing is required."""

    what: str
    value: float
    unit: str
    held_to: str = ""
    met: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Answer:
    question: str
    method: str
    rows: list[Row] = field(default_factory=list)
    series: dict[str, list[float]] = field(default_factory=dict)
    """The single runs behind the medians, per contender, for the plot."""


def at_most(what: str, value: float, unit: str, limit: float, note: str = "") -> Row:
    return Row(what, value, unit, f"at most {limit:g}", value <= limit, note)


def at_least(what: str, value: float, unit: str, limit: float, note: str = "") -> Row:
    return Row(what, value, unit, f"at least {limit:g}", value >= limit, note)
