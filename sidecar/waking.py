"""Waking: what waits for a workload that sleeps at zero has the autoscaler start it, at once and once for all.

The data plane asks in passing and may ask again and again (`mesh.waiting`); here is who carries it out, beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.plan import BackendKey


class Waker(Protocol):
    """The autoscaler, here or elsewhere."""

    def wakes(self, workload: WorkloadRef) -> bool:
        """Whether it may sleep at zero."""

    def held(self, workload: WorkloadRef) -> str:
        """Why nothing would come of an attempt to wake it now; empty: it would be woken."""

    async def wake(self, workload: WorkloadRef) -> bool:
        """Have it get its first replica; False: that cannot be done."""


class Sizes(Protocol):
    """Who knows what is scaled to zero."""

    def asleep(self, key: BackendKey) -> bool:
        """Whether the Service of a Backend is."""

    def behind(self, key: BackendKey) -> Sequence[WorkloadRef]:
        """What may stand behind it."""


class Waking:
    """Needs a task of the caller for `run`."""

    def __init__(self, scales: Sizes, waker: Waker) -> None:
        self._scales = scales
        self._waker = waker
        self._wanted: dict[WorkloadRef, None] = {}
        self._failed: set[WorkloadRef] = set()
        """Of which the last attempt has failed, and nobody has been told."""
        self._called = asyncio.Event()

    def says(self, service: Named) -> str:
        """What a Service that is asleep is told about, where an autoscaler may wake it."""
        key = BackendKey(*service, "")
        if self.wakeable(key) is None or not self._scales.asleep(key):
            return ""
        held = self.held(key)
        return f"scaled to zero; {f'no request wakes it: {held}' if held else 'a request wakes it'}"

    def held(self, key: BackendKey) -> str:
        """As `mesh.waiting.Held`."""
        workload = self.wakeable(key)
        return "" if workload is None else self._waker.held(workload)

    def wakeable(self, key: BackendKey) -> WorkloadRef | None:
        """As `mesh.waiting.Wakeable`; of several the first in the order of the manifests."""
        return next(filter(self._waker.wakes, self._scales.behind(key)), None)

    def wake(self, workload: WorkloadRef) -> bool:
        """As `mesh.waiting.Wake`."""
        if workload in self._failed or self._waker.held(workload):
            self._failed.discard(workload)
            return False
        self._wanted[workload] = None
        self._called.set()
        return True

    async def run(self) -> None:
        """Carry out what is wanted, until cancelled."""
        while True:
            await self._called.wait()
            self._called.clear()
            wanted, self._wanted = self._wanted, {}
            for workload in wanted:
                if not await self._waker.wake(workload):
                    self._failed.add(workload)
