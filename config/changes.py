"""What differs between two sets of objects, by key.

Objects that did not change are the same Python objects (`config.configset`), and so are whole tables of them: so
this looks only at kinds of which something changed, and compares nothing but identities there.
"""

from __future__ import annotations

from typing import NamedTuple

from config.configset import ConfigSet
from config.meta import ObjectKey


class Changes(NamedTuple):
    """Keys of objects, each in the order of its set."""

    added: tuple[ObjectKey, ...] = ()
    changed: tuple[ObjectKey, ...] = ()
    removed: tuple[ObjectKey, ...] = ()

    def __str__(self) -> str:
        counts = [f"{len(keys)} {word}" for word, keys in self._asdict().items() if keys]
        return ", ".join(counts) or "nothing changed"


def changes(before: ConfigSet, now: ConfigSet) -> Changes:
    """What became of `before`; `now` must have been built from it."""
    added: list[ObjectKey] = []
    changed: list[ObjectKey] = []
    removed: list[ObjectKey] = []
    for (kind, old), (_, new) in zip(before.tables(), now.tables(), strict=True):
        if old is new:
            continue
        added += [ObjectKey(kind, *name) for name in new if name not in old]
        changed += [ObjectKey(kind, *name) for name, item in new.items() if name in old and old[name] is not item]
        removed += [ObjectKey(kind, *name) for name in old if name not in new]
    if before.node is not now.node:
        changed += [key for key in now.sources if key.kind == "NodeConfig"] or [ObjectKey("NodeConfig", "", "")]
    return Changes(tuple(added), tuple(changed), tuple(removed))


def same(before: ConfigSet, now: ConfigSet) -> bool:
    """Whether nothing changed at all, not even a line number."""
    return before.sources is now.sources and changes(before, now) == Changes()
