"""What was written and could not be read: fields of objects, and objects of which nothing is known.

A faulty object is validated with what is left of it.  What stands in place of a field that could not be read is not
what was meant, so no verdict is given that rests on such a field; the same holds for objects that are not there
only because nobody could read them.
"""

from __future__ import annotations

import re
from collections.abc import Set

from config.meta import Named, ObjectKey

MOST_PATHS = 100
"""Of one object; one that has more faults is taken for unknown as a whole."""

_STEP = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")

Steps = tuple[str, ...]


def steps(path: str) -> Steps:
    """``spec.ports[0].name`` in parts; none for the whole object."""
    return tuple(bracketed or bare for bracketed, bare in _STEP.findall(path))


_NAME, _NAMESPACE = ("metadata", "name"), ("metadata", "namespace")


class Unread:
    """Collects, while objects are decoded; answers, while they are validated."""

    def __init__(self) -> None:
        self._paths: dict[ObjectKey, set[Steps]] = {}
        self._in_space: dict[tuple[str, str], dict[ObjectKey, None]] = {}
        self._nameless: set[tuple[str, str]] = set()
        """Kind and namespace of objects whose name could not be read."""
        self._adrift: set[tuple[str, str]] = set()
        """Kind and name of objects whose namespace could not be read; the name is empty if it could not either."""
        self._names: set[Named] = set()
        self._spaces: set[str] = set()
        self._lost = False

    def add(self, key: ObjectKey, path: str) -> None:
        """The field at `path` could not be read; `path` is empty for a whole object."""
        paths = self._paths.setdefault(key, set())
        paths.add(steps(path) if len(paths) < MOST_PATHS else ())
        self._in_space.setdefault((key.kind, key.namespace), {})[key] = None
        nameless = _covered(paths, _NAME)
        if nameless:
            self._nameless.add((key.kind, key.namespace))
        if _covered(paths, _NAMESPACE):
            self._adrift.add((key.kind, "" if nameless else key.name))

    def add_object(self, named: Named) -> None:
        """An object of a kind that nobody knows."""
        self._names.add(named)
        self._spaces.add(named.namespace)

    def add_anything(self) -> None:
        """Text that may have said anything."""
        self._lost = True

    def keys(self) -> Set[ObjectKey]:
        """Objects of which anything could not be read."""
        return self._paths.keys()

    def covers(self, key: ObjectKey, path: str) -> bool:
        """Whether `path` is, or lies below, a field that could not be read."""
        return key in self._paths and _covered(self._paths[key], steps(path))

    def touches(self, key: ObjectKey, path: str) -> bool:
        """Whether anything at, above or below `path` could not be read; ``*`` stands for every index and key."""
        if key not in self._paths:
            return False
        wanted = steps(path)
        return any(_meet(each, wanted) for each in self._paths[key])

    def may_be(self, key: ObjectKey) -> bool:
        """Whether the object of `key` may be among what could not be read."""
        return (
            self._lost
            or Named(key.namespace, key.name) in self._names
            or (key.kind, key.namespace) in self._nameless
            or not self._adrift.isdisjoint({(key.kind, key.name), (key.kind, "")})
        )

    def may_say(self, kind: str, namespace: str, path: str) -> bool:
        """Whether `path` of any object of this kind and namespace may be among what could not be read."""
        return (
            self._lost
            or namespace in self._spaces
            or any(each == kind for each, _ in self._adrift)
            or any(self.touches(key, path) for key in self._in_space.get((kind, namespace), ()))
        )


def _covered(paths: Set[Steps], wanted: Steps) -> bool:
    return any(len(each) <= len(wanted) and _meet(each, wanted) for each in paths)


def _meet(one: Steps, other: Steps) -> bool:
    """Whether one is the other or lies above or below it."""
    return all(theirs in (mine, "*") for mine, theirs in zip(one, other, strict=False))
