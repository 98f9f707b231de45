"""Observation: the containers that matter here, kept up to date by events and by looking.

Without I/O.  Events come while somebody is looking, so that an answer may be older than what an event has said
meanwhile: it is then thrown away, and the container looked at once more.  That a container was sent its signal only
events tell, so those of the last minutes are asked for too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from discovery.platforms.docker.condition import GONE, NEWS, Condition, Event, after, seen_again
from discovery.platforms.docker.sighting import Sighting, began

STUBBORN_SECONDS: Final = 120.0
"""A container that runs so long after its signal, and twice the time that it is given, goes on."""

KEPT: Final = 256
"""So many events an engine can tell again."""
LOOK_BACK: Final = 300.0
"""Seconds before the first connection whose events are asked for."""

Matters = Callable[[Mapping[str, str]], bool]
"""Whether containers with these labels do."""


class Observation:
    """`conditions` are those of containers that run."""

    def __init__(self, matters: Matters, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` in seconds."""
        self.conditions: dict[str, Condition] = {}
        self.unseen: dict[str, None] = {}
        """Containers that are to be looked at, in the order in which that was found out."""
        self._early: dict[str, dict[str, Event]] = {}
        """The signals that each was sent which has not been seen yet."""
        self._heard: dict[tuple[int, str, str], None] = {}
        """The last events: after a new connection they are told again."""
        self._matters = matters
        self._clock = clock
        self._signalled: dict[str, float] = {}
        """When each that is ending was told to, the last time."""
        self._asking: dict[str, bool] = {}
        """Those that somebody is looking at, and whether something happened to them meanwhile."""

    def begin(self, now: float) -> str:
        """There is a new connection, and nobody looks at anything any more.

        Gives from when on events are to be told, as GET /events takes it; `now`: the engine's Unix time.
        """
        self._asking.clear()
        latest = max((at for at, _, _ in self._heard), default=int((now - LOOK_BACK) * 1e9))
        return f"{latest // 10**9}.{latest % 10**9:09}"

    def happened(self, event: Event) -> bool:
        """Take note of an event; whether `conditions` differs."""
        name, known = event.container, self.conditions.get(event.container)
        if self._was_heard(event):
            return False
        if known is None and not (event.kind == "container" and self._matters(event.attributes)):
            return False
        if name in self._asking:
            self._asking[name] = True
        if event.action.partition(":")[0] in NEWS:
            self.unseen[name] = None
        if known is None:
            self._remember(event)
            return False
        now = after(known, event)
        if now is not None and now.ending and event.action == "kill":
            self._signalled[name] = self._clock()
        return self._put(name, now)

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
        condition = seen_again(self.conditions.get(name), now)
        for early in self._early.pop(name, {}).values():
            if condition is not None and not _of_an_earlier_run(early, now):
                condition = after(condition, early)
                self._signalled[name] = self._clock()
        return self._put(name, condition)

    def absent(self, name: str) -> bool:
        """There is no such container; whether `conditions` differs."""
        self._asking.pop(name)
        self._early.pop(name, None)
        return self._put(name, None)

    def listed(self, containers: Collection[str], *, afresh: bool) -> None:
        """These are all that matter and run; those of which that is news are to be looked at, `afresh`: all.

        The list may be older than the last event, so nobody is taken for gone without a look.
        """
        known = self.conditions.keys()
        self.unseen.update(dict.fromkeys(known | set(containers) if afresh else known ^ set(containers)))

    def forgive(self) -> bool:
        """Those that were told to end and run on long after are taken to have ignored it; whether there are any."""
        now, forgiven = self._clock(), False
        for name, since in tuple(self._signalled.items()):
            known = self.conditions.get(name)
            if known is None or not known.ending:
                del self._signalled[name]
            elif now - since >= max(STUBBORN_SECONDS, 2 * known.sighting.stop_seconds):
                del self._signalled[name]
                forgiven |= self._put(name, Condition(known.sighting))
        return forgiven

    def _was_heard(self, event: Event) -> bool:
        key = event.at, event.container, event.action
        if not event.at or key in self._heard:
            return bool(event.at)
        self._heard[key] = None
        if len(self._heard) > KEPT:
            del self._heard[next(iter(self._heard))]
        return False

    def _remember(self, event: Event) -> None:
        if event.action == "kill":
            self._early.setdefault(event.container, {})[event.attributes.get("signal", "")] = event
            if len(self._early) > KEPT:
                del self._early[next(iter(self._early))]
        elif event.action in GONE:
            self._early.pop(event.container, None)

    def _put(self, name: str, now: Condition | None) -> bool:
        before = self.conditions.get(name)
        if now is None:
            self.conditions.pop(name, None)
        elif now != before:
            self.conditions[name] = now
        return now != before


def _of_an_earlier_run(event: Event, seen: Sighting) -> bool:
    started = began(seen.started)
    return bool(event.at) and started is not None and event.at / 1e9 < started
