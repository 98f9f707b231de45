"""Reloading: what is written is kept in force while it is edited.

A change is noticed by looking, or by being asked (SIGHUP); a burst of writes may end before it is read, reading
takes what is newest, and what comes meanwhile is read next: so changes are joined, and none is lost.  What turns
out to be the same goes nowhere.  A file that cannot be used is not tried again until it changes; if the reader itself
fails, which says nothing about the files, it is tried again without that, later and later.  Each look whose findings
are in force is told of, so that who edited a file can wait for one that began later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from config.changes import Changes, change_steps
from discovery.backoff import Backoff, BackoffPolicy
from mesh.steps import run_in_slices
from sidecar.unapplied import unapplied
from sidecar.written import Manifests, Written

POLL_SECONDS: Final = 0.1
"""Beside what reading takes, nobody notices less; most looks are a stamp for each of a few files."""
POLL_SECONDS_PER_FILE: Final = 0.0005
"""A look at a file takes a fiftieth of that: so much of the time goes into looking, however many files there are."""
SETTLE_SECONDS: Final = 0.05
"""Without a change for so long, a burst of writes is over ..."""
MOST_SETTLING: Final = 0.5
"""... and so long it is waited for at most."""
RETRIES: Final = BackoffPolicy(first=5.0, ceiling=300.0)
"""After a reader failed, or could not even be started."""
NEVER: Final = float("inf")

PutInForce = Callable[[Written], Awaitable[None]]
Tell = Callable[[Written, Changes], None]

log = logging.getLogger("weft.reload")


class Reloader:
    """Reads the manifests again when they change, and has what changed put in force."""

    def __init__(
        self,
        manifests: Manifests,
        written: Written,
        put_in_force: PutInForce,
        asked: asyncio.Event,
        *,
        tell: Tell,
        looked: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`written` is in force; `asked` is set by who wants a reload; `tell` hears of all that is news, and `looked`
        of each look whose findings are in force; `clock` gives seconds."""
        self._manifests = manifests
        self._started_with = written.config_set.node
        self._written = written
        self._put_in_force = put_in_force
        self._asked = asked
        self._tell = tell
        self._looked = looked
        self._clock = clock
        self._backoff = Backoff(RETRIES, Random())
        self._again_at = NEVER
        """When to read again what the reader failed at."""
        self._behind = False
        """What was found is not in force yet, since it could not be read."""

    async def run(self) -> None:
        """Reload whenever there is a reason to, until cancelled."""
        while True:
            pause = max(POLL_SECONDS, POLL_SECONDS_PER_FILE * self._manifests.files)
            await self.look(asked=await self._wait(pause))

    async def look(self, *, asked: bool) -> None:
        """Reload if there is a reason to; `asked` is one."""
        changed = asked or await self._manifests.changed()
        if changed:
            await self._settle()
        if changed or self._clock() >= self._again_at:
            await self.reload()
        if not self._behind:
            self._looked()

    async def reload(self) -> None:
        """Read what is written now, and put it in force if it is not."""
        self._asked.clear()
        self._behind = True
        try:
            written = await self._manifests.read(self._written.config_set)
        except OSError as error:
            if not self._backoff.failures:
                log.warning("the manifests cannot be read now: %s", error.strerror or error)
            self._try_again()
            return
        before = self._written
        if written.read:
            self._backoff.succeeded()
            self._again_at = NEVER
        else:  # which says nothing about the manifests: all stays as it is
            self._try_again()
            written = before._replace(faults=written.faults, read=False)
        notes = tuple(unapplied(self._started_with, written.config_set))
        written = written._replace(faults=(*written.faults, *notes))
        different = await run_in_slices(change_steps(before.config_set, written.config_set))
        self._written = written
        await self._put_in_force(written)
        self._behind = not written.read
        if different != Changes() or written.faults != before.faults:
            log.info("configuration reloaded: %s", different, extra={"errors": written.errors})
            self._tell(written, different)

    def _try_again(self) -> None:
        now = self._clock()
        self._again_at = now + self._backoff.failed(now)

    async def _wait(self, seconds: float) -> bool:
        """Let `seconds` pass; True, and at once, when a reload is asked for."""
        try:
            async with asyncio.timeout(seconds):
                return await self._asked.wait()
        except TimeoutError:
            return False

    async def _settle(self) -> None:
        """Let a burst of writes come to its end: a file may be written in pieces."""
        until = self._clock() + MOST_SETTLING
        while self._clock() < until:
            await asyncio.sleep(SETTLE_SECONDS)
            if not await self._manifests.changed():
                return
