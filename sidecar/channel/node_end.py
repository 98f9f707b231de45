"""The channel in a process that follows a registry: the connection, what it brings, and drains that wait for others.

Before a replica is stopped, every node has to have a table in force that sends it nothing more, and what is in flight
has to end.  Whoever does not confirm in time is named in the log, here and at the registry.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Final

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.loads import LiveSource
from mesh.autoscaling.target import ScaleTarget
from mesh.proxy import Proxy
from sidecar.channel.carrying import Carrying
from sidecar.channel.client import Channel
from sidecar.channel.credentials import Token
from sidecar.channel.received import Received
from sidecar.channel.report import Report
from sidecar.channel.scaling import Scaling, name_of
from sidecar.documents import Answer, Document, Write
from sidecar.options import Address

CONFIRM_SECONDS: Final = 5.0

log = logging.getLogger("weft.channel")


class NodeEnd:
    """Told of copies and tables from the start on; the connection is there while `run` runs."""

    def __init__(
        self,
        addresses: Sequence[Address],
        token: Token,
        received: Received,
        proxy: Proxy,
        *,
        role: str,
        target: ScaleTarget | None = None,
        partial: bool = False,
    ) -> None:
        """`target`: who runs Deployments here, None: nobody; `partial`: manifests come only of what `use` names."""
        self._received = received
        runs = received.runs.deployments if received.runs else ()
        self.scaling = Scaling(target, LiveSource(proxy.live).steps)
        self._channel = Channel(
            addresses, token, received, Report(proxy.frames.steps), Random(), role=role, runs=runs,
            scaling=self.scaling, partial=partial,
        )  # fmt: skip
        self.answered: Callable[[int], None] = lambda _: None
        """Told of the number of the last `use` that what is in force is made of."""
        received.kept.append(self.in_force)
        self.carrying = Carrying(self._channel, proxy.in_flight)
        self.confirm_seconds: Callable[[], float] = lambda: CONFIRM_SECONDS
        """That all nodes have to confirm that a replica goes, at the moment."""

    async def start(self) -> None:
        """There is nothing to prepare."""

    async def run(self) -> None:
        """Hold the connection, until cancelled."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._channel.run())
            beside.create_task(self._received.run())
            beside.create_task(self.carrying.run())
            beside.create_task(self.scaling.run())

    async def close(self) -> None:
        """The connection ends with `run`."""

    def wakes(self, workload: WorkloadRef) -> bool:
        """Whether an autoscaler elsewhere wakes it when it sleeps at zero."""
        return self.scaling.wakes(workload)

    def held(self, workload: WorkloadRef) -> str:
        """Why nothing would come of an attempt to wake it now; empty: it would be woken."""
        if not self._channel.connected:
            return f"no autoscaler is connected ({self._channel.failure})"
        return "" if self.scaling.wakes(workload) else "no autoscaler is there"

    async def wake(self, workload: WorkloadRef) -> bool:
        """Have it get its first replica; False: nobody could be told."""
        return self.scaling.wakes(workload) and self._channel.wake(name_of(workload))

    @property
    def connected(self) -> bool:
        """Whether the registry can be asked."""
        return self._channel.connected

    def use(self, services: Iterable[Named]) -> int:
        """The manifests of these Services are wanted from now on; the number that `answered` is told then."""
        return self._channel.use(services)

    async def drained(self, replica_id: str, deadline: float) -> None:
        """Wait until no other node sends to the replica, and none has anything in flight on it.

        At most until `deadline` (the loop's time), and for confirmations no longer than they may take.
        """
        patience = min(deadline, asyncio.get_running_loop().time() + self.confirm_seconds())
        missing = await self._channel.confirmed(patience)
        if missing is None:
            log.warning("replica %s ends, and the registry could not say who knows: %s", replica_id, self._failure)
            return
        if missing:
            log.warning("replica %s ends, and was not confirmed in time by %s", replica_id, ", ".join(missing))
        busy = await self._channel.idle(replica_id, deadline)
        if busy:
            log.warning("replica %s ends with requests in flight from %s", replica_id, ", ".join(busy))

    @property
    def peers(self) -> str:
        """No node connects to a node."""
        return ""

    def answers(self) -> dict[str, Answer]:
        """What the admin server says, by path."""
        return {"/api/v1/channel": self._document}

    def writes(self) -> Mapping[str, Write]:
        """Nothing is written here."""
        return {}

    def in_force(self) -> None:
        """What was read last of what was received is in force."""
        self._received.in_force()
        self._channel.in_force(manifests=self._received.read)
        self.answered(self._received.uses)

    @property
    def _failure(self) -> str:
        return self._channel.failure or "it did not answer in time"

    def _document(self) -> tuple[int, Document]:
        return 200, {
            "connected": self._channel.connected,
            "failure": self._channel.failure,
            "manifests": self._received.read,
        }
