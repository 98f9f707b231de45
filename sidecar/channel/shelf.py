"""The manifests that the registry distributes, and what each connection has still to be sent of them.

A connection does not queue changes: it remembers up to which generation it has sent, and what differs since then is
looked up when there is room to send.  So a slow node costs nothing, and gets the latest word of each object once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from config.meta import Named, ObjectKey
from sidecar.channel.concerns import Concerns
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
        self._concerns = Concerns()

    def change(self, put: Iterable[Manifest], gone: Iterable[ObjectKey] = ()) -> None:
        """These are new, or no longer what they were; those are no more."""
        self.generation += 1
        for key in gone:
            if (before := self.stored.pop(key, None)) is not None:
                self._concerns.remove(before)
                self._note(key)
        for manifest in put:
            if manifest.kind not in UNDISTRIBUTED:
                if (before := self.stored.get(manifest.key)) is not None:
                    self._concerns.remove(before)
                self.stored[manifest.key] = stored = Stored(manifest)
                self._concerns.put(stored)
                self._note(manifest.key)
        self._selected.clear()
        for follow in self.followers:
            follow()

    def selected(self, runs: tuple[str, ...]) -> frozenset[ObjectKey]:
        """`selection.selected`, worked out once for all nodes that run the same."""
        if runs not in self._selected:
            self._selected[runs] = selected(self.stored, runs)
        return self._selected[runs]

    def concerning(self, services: Iterable[Named]) -> frozenset[ObjectKey]:
        """What is for who uses these Services and no others."""
        return self._concerns.of(services) & self.stored.keys()

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

    def __init__(self, shelf: Shelf, runs: Iterable[str] = (), *, partial: bool = False) -> None:
        """`partial`: it is for who uses some Services only, and says which by `use` before anything is sent."""
        self._shelf = shelf
        self._runs = tuple(sorted(set(runs)))
        self._services: frozenset[Named] = frozenset()
        self._is_partial = partial
        self._uses = 0
        """The number of what was said of them last; 0: nothing was."""
        self._heeded = 0
        """The number of what has been sent accordingly."""
        self._generation: int | None = None
        self._selected: frozenset[ObjectKey] = frozenset()

    @property
    def is_due(self) -> bool:
        """Whether there is something to send."""
        if self._is_partial and not self._uses:
            return False
        return self._generation != self._shelf.generation or self._heeded != self._uses

    def use(self, number: int, services: Iterable[Named]) -> None:
        """These Services are used from now on, and no others; `number` comes back with what is sent."""
        self._uses, self._services = number, frozenset(services)

    def messages(self) -> Iterator[Manifests]:
        """What brings the other end to how things stand now; all of it is to be sent."""
        shelf, before = self._shelf, self._selected
        changed = None if self._generation is None else shelf.since(self._generation)
        selected = shelf.concerning(self._services) if self._is_partial else shelf.selected(self._runs)
        self._generation, self._selected, self._heeded = shelf.generation, selected, self._uses
        if changed is None:
            stored = {key: shelf.stored[key] for key in selected} if self._is_partial else shelf.stored
            return self._batches([each.manifest for each in self._given(stored)], (), whole=True)
        changed |= self._selected ^ before
        given = [each.manifest for each in self._given({k: shelf.stored[k] for k in changed if k in shelf.stored})]
        put = {manifest.key for manifest in given}
        gone = [key for key in changed if key not in put and (self._is_for_all(key) or key in before)]
        return self._batches(given, sorted(gone), whole=False)

    def _is_for_all(self, key: ObjectKey) -> bool:
        """Whether it is given whatever is selected."""
        return key.kind not in SELECTED and not self._is_partial

    def _given(self, stored: Mapping[ObjectKey, Stored]) -> Iterator[Stored]:
        return (each for key, each in stored.items() if self._is_for_all(key) or key in self._selected)

    def _batches(self, put: Iterable[Manifest], gone: Iterable[ObjectKey], *, whole: bool) -> Iterator[Manifests]:
        """Messages of bounded size; the last one says that it is."""
        generation, uses = self._generation or 0, self._heeded
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
        yield Manifests(generation, batch, keys, whole=whole, uses=uses)
