"""What the registry's own process carries, as that of one more node: drains wait for it too.

``weft up --peers`` sends to the endpoints that nodes register, and no connection tells the registry what it has in
force, for it is the same process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from sidecar import VERSION as WEFT
from sidecar.channel.carrying import Carrying
from sidecar.channel.messages import MOST_BUSY, VERSION, Hello, InForce
from sidecar.channel.nodes import Nodes


class OwnTraffic:
    """From `start` to `close`; its `carrying` is told of copies and tables."""

    def __init__(self, nodes: Nodes, name: str, role: str, in_flight: Callable[[str], int]) -> None:
        """`name`: under which it is told that it did not confirm; `in_flight`: as `Carrying` has it."""
        self._nodes = nodes
        self._node = nodes.came(name, Hello(VERSION, WEFT, role), "")
        self._said = InForce()
        self._running: asyncio.Task[None] | None = None
        self.carrying = Carrying(self, in_flight)

    def in_force(
        self, *, serial: int | None = None, manifests: int | None = None, busy: Iterable[str] | None = None
    ) -> None:
        """This is in force; what is not given is as it was."""
        said = self._said
        self._said = replace(
            said,
            serial=said.serial if serial is None else serial,
            manifests=said.manifests if manifests is None else manifests,
            busy=said.busy if busy is None else tuple(sorted(busy)[:MOST_BUSY]),
        )
        self._node.last_contact = self._nodes.clock()
        self._nodes.has(self._node, self._said)

    def start(self, serial: int, generation: int) -> None:
        """The catalog has all of `serial` in this generation."""
        self.carrying.copied(serial, generation)
        self._running = asyncio.create_task(self.carrying.run(), name="own traffic")

    async def close(self) -> None:
        """Nobody waits for it any more."""
        self._nodes.left(self._node)
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
