"""Observation: the containers that matter here, kept up to date by events and by looking.

Without I/O.  Events come while somebody is looking, so that an answer may be older than what an event has said
meanwhile: it is then thrown away, and the container looked at once more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from discovery.platforms.docker.condition import NEWS, Condition, Event, after, seen_again
from discovery.platforms.docker.sighting import Sighting

Matters = Callable[[Mapping[str, str]], bool]
"""Whether containers with these labels do."""


class Observation:
    """`conditions` are those of containers that run."""

    def __init__(self, matters: Matters) -> None:
        self.conditions: dict[str, Condition] = {}
        self.unseen: dict[str, None] = {}
        """Containers that are to be looked at, in the order in which that was found out."""
        self._matters = matters
        self._asking: dict[str, bool] = {}
        """Those that somebody is looking at, and whether something happened to them meanwhile."""

    def happened(self, event: Event) -> bool:
        """Take note of an event; whether `conditions` differs."""
        name, known = event.container, self.conditions.get(event.container)
        if known is None and not (event.kind == "container" and self._matters(event.attributes)):
            return False
        if name in self._asking:
            self._asking[name] = True
        if event.action.partition(":")[0] in NEWS:
            self.unseen[name] = None
        return known is not None and self._put(name, after(known, event))

    def look(self) -> str | None:
        """The container that is to be looked at now: `seen` or `absent` is owed for it."""
        for name in self.unseen:
            del self.unseen[name]
            self._asking[name] = False
            return name
        return None

    def seen(self, name: str, now: Sighting) -> bool:
        """Take note of what the engine says; whether `conditions` differs."""
        if self._asking.pop(name):
            self.unseen[name] = None
            return False
        return self._put(name, seen_again(self.conditions.get(name), now))

    def absent(self, name: str) -> bool:
        """There is no such container; whether `conditions` differs."""
        self._asking.pop(name)
        return self._put(name, None)

    def listed(self, containers: Collection[str], *, afresh: bool) -> None:
        """These are all that matter and run; those of which that is news are to be looked at, `afresh`: all.

        The list may be older than the last event, so nobody is taken for gone without a look.
        """
        known = self.conditions.keys()
        self.unseen.update(dict.fromkeys(known | set(containers) if afresh else known ^ set(containers)))

    def _put(self, name: str, now: Condition | None) -> bool:
        before = self.conditions.get(name)
        if now is None:
            self.conditions.pop(name, None)
        elif now != before:
            self.conditions[name] = now
        return now != before
