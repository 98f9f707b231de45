"""The manifests that the registry distributes, and what each connection has still to be sent of them.

A connection does not queue changes: it remembers up to which generation it has sent, and what differs since then is
looked up when there is room to send.  So a slow node costs nothing, and gets the latest word of each object once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from config.meta import ObjectKey
from sidecar.channel.messages import LARGEST_BATCH, Manifest, Manifests
from sidecar.channel.selection import SELECTED, UNDISTRIBUTED, Stored, selected

MOST_CHANGES: Final = 10_000
"""That are remembered; a connection that is behind further is sent everything."""
MOST_KEYS: Final = 1000
"""Of objects that are gone, in one message."""


class Shelf:
    """All manifests at one generation."""

    def __init__(self, generation: int) -> None:
        """`generation`: higher than that of any shelf before, such as the time in seconds."""
        self.generation = generation
        self.stored: dict[ObjectKey, Stored] = {}
        self.followers: list[Callable[[], None]] = []
        """Called when there is something to send."""
        self._changes: deque[tuple[int, ObjectKey]] = deque(maxlen=MOST_CHANGES)
        self._from = generation
        """Whoever has this generation, or a later one, can be told what differs."""
        self._selected: dict[tuple[str, ...], frozenset[ObjectKey]] = {}

    def change(self, put: Iterable[Manifest], gone: Iterable[ObjectKey] = ()) -> None:
        """These are new, or no longer what they were; those are no more."""
        self.generation += 1
        for key in gone:
            if self.stored.pop(key, None) is not None:
                self._note(key)
        for manifest in put:
            if manifest.kind not in UNDISTRIBUTED:
                self.stored[manifest.key] = Stored(manifest)
                self._note(manifest.key)
        self._selected.clear()
        for follow in self.followers:
            follow()

    def selected(self, runs: tuple[str, ...]) -> frozenset[ObjectKey]:
        """`selection.selected`, worked out once for all nodes that run the same."""
        if runs not in self._selected:
            self._selected[runs] = selected(self.stored, runs)
        return self._selected[runs]

    def since(self, generation: int) -> set[ObjectKey] | None:
        """What changed after `generation`; None: that is not known any more."""
        if generation < self._from:
            return None
        return {key for at, key in self._changes if at > generation}

    def _note(self, key: ObjectKey) -> None:
        if len(self._changes) == MOST_CHANGES:
            self._from = self._changes[0][0]
        self._changes.append((self.generation, key))


class Feed:
    """What one connection has been sent."""

    def __init__(self, shelf: Shelf, runs: Iterable[str] = ()) -> None:
        self._shelf = shelf
        self._runs = tuple(sorted(set(runs)))
        self._generation: int | None = None
        self._selected: frozenset[ObjectKey] = frozenset()

    @property
    def is_due(self) -> bool:
        """Whether there is something to send."""
        return self._generation != self._shelf.generation

    def messages(self) -> Iterator[Manifests]:
        """What brings the other end to how things stand now; all of it is to be sent."""
        shelf, before = self._shelf, self._selected
        changed = None if self._generation is None else shelf.since(self._generation)
        self._generation, self._selected = shelf.generation, shelf.selected(self._runs)
        if changed is None:
            return _batches(self._generation, [each.manifest for each in self._given(shelf.stored)], (), whole=True)
        changed |= self._selected ^ before
        given = [each.manifest for each in self._given({k: shelf.stored[k] for k in changed if k in shelf.stored})]
        put = {manifest.key for manifest in given}
        gone = [key for key in changed if key not in put and (key.kind not in SELECTED or key in before)]
        return _batches(self._generation, given, sorted(gone), whole=False)

    def _given(self, stored: Mapping[ObjectKey, Stored]) -> Iterator[Stored]:
        return (each for key, each in stored.items() if key.kind not in SELECTED or key in self._selected)


def _batches(
    generation: int, put: Iterable[Manifest], gone: Iterable[ObjectKey], *, whole: bool
) -> Iterator[Manifests]:
    """Messages of bounded size; the last one says that it is."""
    batch: list[Manifest] = []
    keys: list[ObjectKey] = []
    size = 0
    for key in gone:
        if len(keys) == MOST_KEYS:
            yield Manifests(generation, [], keys, whole=whole, more=True)
            keys = []
        keys.append(key)
    for manifest in put:
        if batch and size + len(manifest.body) > LARGEST_BATCH:
            yield Manifests(generation, batch, keys, whole=whole, more=True)
            batch, keys, size = [], [], 0
        batch.append(manifest)
        size += len(manifest.body) + len(manifest.source)
    yield Manifests(generation, batch, keys, whole=whole)
