"""What differs between two objects as plain data, field by field, and between two sets of them.

Lists whose items have names are compared by name, as Kubernetes' own tools do, so that an item put in front changes
nothing about the others; other lists are compared item by item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from config.meta import ObjectKey
from sidecar.redaction import HIDDEN

ABSENT: Final = "(absent)"
_UNKNOWN = object()


class Change(NamedTuple):
    """One field; what it was or is to be is ABSENT where there is nothing."""

    path: str
    before: Any
    after: Any


class Difference(NamedTuple):
    """What happens to one object."""

    key: ObjectKey
    what: Literal["added", "changed", "removed"]
    changes: tuple[Change, ...] = ()


def differences(
    before: Mapping[ObjectKey, Mapping[str, Any]], after: Mapping[ObjectKey, Mapping[str, Any]]
) -> Iterator[Difference]:
    """By kind, namespace and name; objects that are the same are left out."""
    for key in sorted(before.keys() | after.keys()):
        if key not in before:
            yield Difference(key, "added")
        elif key not in after:
            yield Difference(key, "removed")
        elif found := tuple(changes(before[key], after[key])):
            yield Difference(key, "changed", found)


def changes(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """The fields that differ, in the order of `before`, then those that are new."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            inner = f"{path}.{name}" if path else str(name)
            yield from _field(before.get(name, _UNKNOWN), after.get(name, _UNKNOWN), inner)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        yield from _items(before, after, path)
    elif not _same(before, after):
        yield Change(path, before, after)


def _field(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before is _UNKNOWN:
        yield Change(path, ABSENT, after)
    elif after is _UNKNOWN:
        yield Change(path, before, ABSENT)
    else:
        yield from changes(before, after, path)


def _items(before: Any, after: Any, path: str) -> Iterator[Change]:
    left, right = _by_name(before), _by_name(after)
    if left is None or right is None:
        left, right = dict(enumerate(before)), dict(enumerate(after))
    for name in dict.fromkeys([*left, *right]):
        yield from _field(left.get(name, _UNKNOWN), right.get(name, _UNKNOWN), f"{path}[{name}]")


def _by_name(items: Any) -> dict[Any, Any] | None:
    """The items by name; None: some have none, or share one."""
    if not all(isinstance(item, Mapping) and item.get("name") and isinstance(item["name"], str) for item in items):
        return None
    named = {item["name"]: item for item in items}
    return named if len(named) == len(items) else None


def _same(before: Any, after: Any) -> bool:
    """Equal, or hidden without a fingerprint on one side, so that nobody can tell."""
    return bool(before == after) or (HIDDEN in (before, after) and _is_hidden(before) and _is_hidden(after))


def _is_hidden(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(HIDDEN[:-1])
