"""What differs between two sets of objects, by key.

Objects that did not change are the same Python objects (`config.configset`), and so are whole tables of them: so
this looks only at kinds of which something changed, and compares nothing but identities there.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from config.configset import ConfigSet
from config.meta import ObjectKey

OBJECTS_PER_STEP = 200
"""That are looked at."""


class Changes(NamedTuple):
    """Keys of objects, each in the order of its set."""

    added: tuple[ObjectKey, ...] = ()
    changed: tuple[ObjectKey, ...] = ()
    removed: tuple[ObjectKey, ...] = ()

    def __str__(self) -> str:
        counts = [f"{len(keys)} {word}" for word, keys in self._asdict().items() if keys]
        return ", ".join(counts) or "nothing changed"


def changes(before: ConfigSet, now: ConfigSet) -> Changes:
    """`change_steps` in one go."""
    steps = change_steps(before, now)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: Changes = done.value
            return found


def change_steps(before: ConfigSet, now: ConfigSet) -> Generator[None, None, Changes]:
    """What became of `before`, in short steps; `now` must have been built from it."""
    added: list[ObjectKey] = []
    changed: list[ObjectKey] = []
    removed: list[ObjectKey] = []
    for (kind, old), (_, new) in zip(before.tables(), now.tables(), strict=True):
        if old is new:
            continue
        for number, (name, item) in enumerate(new.items()):
            if old.get(name) is not item:
                (changed if name in old else added).append(ObjectKey(kind, *name))
            if not number % OBJECTS_PER_STEP:
                yield
        for number, name in enumerate(old):
            if name not in new:
                removed.append(ObjectKey(kind, *name))
            if not number % OBJECTS_PER_STEP:
                yield
    if before.node is not now.node:
        changed += [key for key in now.sources if key.kind == "NodeConfig"] or [ObjectKey("NodeConfig", "", "")]
    return Changes(tuple(added), tuple(changed), tuple(removed))


def same(before: ConfigSet, now: ConfigSet) -> bool:
    """Whether nothing changed at all, not even a line number."""
    return before.sources is now.sources and changes(before, now) == Changes()
