"""Prometheus' text format, version 0.0.4, written in slices.

Families and samples have the shape of prometheus_client's `Metric` and `Sample`, so that families of both
kinds can be written in one page; ours are made while they are written, one sample at a time, and bring their
labels as text, because a page may have a hundred thousand of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

SAMPLES_PER_SLICE = 400
"""A fraction of a millisecond to half a one of writing, whoever made the samples."""


class Sample(NamedTuple):
    name: str
    labels: Mapping[str, str] | str
    """By name; or the text between the braces, made by `label_text`."""
    value: float


class SampleLike(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str] | str: ...
    @property
    def value(self) -> float: ...


class FamilyLike(Protocol):
    """What prometheus_client calls a Metric; a counter's `name` has no ``_total``, its samples' names have."""

    @property
    def name(self) -> str: ...
    @property
    def documentation(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def samples(self) -> Iterable[SampleLike]: ...


class Family(NamedTuple):
    name: str
    type: str
    documentation: str
    samples: Iterable[Sample]
    """Read once."""


def render(families: Iterable[FamilyLike]) -> Iterator[bytes]:
    """The page, in chunks that are each quickly made."""
    for family in families:
        lines = [_head(family)]
        for sample in family.samples:
            lines.append(_line(sample))
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


def _line(sample: SampleLike) -> str:
    labels = sample.labels
    text = labels if isinstance(labels, str) else label_text(labels)
    return f"{sample.name}{{{text}}} {_number(sample.value)}\n" if text else f"{sample.name} {_number(sample.value)}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if value != value else repr(value)  # noqa: PLR0124 - only NaN differs from itself
