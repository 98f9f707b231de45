"""Prometheus' text format, version 0.0.4, written in slices.

Families and samples have the shape of prometheus_client's `Metric` and `Sample`, so that families of both
kinds can be written in one page; ours are made while they are written, one sample at a time, and bring their
labels as text, because a page may have a hundred thousand of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

SAMPLES_PER_SLICE = 150
"""Less than a millisecond of making and writing samples."""

AnySample = tuple[str, Mapping[str, str] | str, float]
"""Name, labels and value; a `Sample` is one, and a plain tuple is made in half the time."""


class Sample(NamedTuple):
    name: str
    labels: Mapping[str, str] | str
    """By name; or the text between the braces, made by `label_text`."""
    value: float


class FamilyLike(Protocol):
    """What prometheus_client calls a Metric; a counter's `name` has no ``_total``, its samples' names have."""

    @property
    def name(self) -> str: ...
    @property
    def documentation(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def samples(self) -> Iterable[Sequence[Any]]:
        """Tuples that begin as `AnySample` does; prometheus_client's go on with what this format has not."""


class Family(NamedTuple):
    name: str
    type: str
    documentation: str
    samples: Iterable[AnySample]
    """Read once."""


def render(families: Iterable[FamilyLike]) -> Iterator[bytes]:
    """The page, in chunks that are each quickly made."""
    for family in families:
        lines = [_head(family)]
        for sample in family.samples:
            lines.append(_line(sample[0], sample[1], sample[2]))
            if len(lines) >= SAMPLES_PER_SLICE:
                yield "".join(lines).encode()
                lines.clear()
        yield "".join(lines).encode()


def label_text(labels: Mapping[str, str]) -> str:
    """Labels as they stand between the braces."""
    return ",".join([f'{name}="{_escaped(value)}"' for name, value in labels.items()])


def _head(family: FamilyLike) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    text = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
    kind = "untyped" if family.type == "unknown" else family.type
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _line(name: str, labels: Mapping[str, str] | str, value: float) -> str:
    text = labels if isinstance(labels, str) else label_text(labels)
    number = f"{value:d}" if isinstance(value, int) else _number(value)
    return f"{name}{{{text}}} {number}\n" if text else f"{name} {number}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)
