"""Objects back to manifests: as `config.decode` would read them, without what has its default anyway.

Equal objects give equal manifests, however they were made.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

import msgspec

from config.durations import format_duration
from config.meta import Duration

_REQUIRED: Final = object()


def encode(value: Any) -> Any:
    """`value`, an object of a manifest or a part of one, as plain data."""
    if isinstance(value, msgspec.Struct):
        return {
            name: format_duration(inner) if duration and inner is not None else encode(inner)
            for name, attribute, default, duration in _fields(type(value))
            if (inner := getattr(value, attribute)) != default
        }
    if isinstance(value, Mapping):
        return {name: encode(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [encode(inner) for inner in value]
    return value


@cache
def _fields(struct: type[msgspec.Struct]) -> tuple[tuple[str, str, Any, bool], ...]:
    """Of each field its name in manifests, its attribute, its default, and whether it is a duration."""
    return tuple(
        (field.encode_name, field.name, _default(field), Duration in (field.type, *get_args(field.type)))
        for field in msgspec.structs.fields(struct)
    )


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return _REQUIRED
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
