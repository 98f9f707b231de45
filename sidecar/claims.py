"""What was in force, as far as only one object can have it: made of objects as they are listed and stored.

Durations and secrets, which are written in another way there, are in no claim; so of a TrafficPolicy only that is read
which is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from config.configset import KINDS, ConfigSet
from config.meta import ObjectKey, Source

CLAIMING: Final = frozenset({"Service", "TrafficPolicy", "HorizontalPodAutoscaler"})
"""Kinds of which one can have what another one asks for."""

Plain = tuple[ObjectKey, Source, Mapping[str, Any]]
"""An object as JSON has it, and where it is written."""


def claiming(objects: Iterable[Plain]) -> ConfigSet:
    """The objects that claim something, and of policies only what they claim."""
    return ConfigSet.of(_claimants(objects))


def _claimants(objects: Iterable[Plain]) -> Iterator[tuple[ObjectKey, Source, Any]]:
    for key, source, item in objects:
        if key.kind in CLAIMING:
            try:
                yield key, source, msgspec.convert(_claims(key, item), KINDS[key.kind])
            except msgspec.ValidationError:  # written by another version, which knows it differently
                continue


def _claims(key: ObjectKey, item: Mapping[str, Any]) -> Mapping[str, Any]:
    if key.kind != "TrafficPolicy":
        return item
    spec = {"targetRef": item["spec"]["targetRef"]}
    if "scaling" in item["spec"]:
        named = item["spec"]["scaling"].get("scaleTargetRef")
        spec["scaling"] = {} if named is None else {"scaleTargetRef": named}
    return {**item, "spec": spec}
