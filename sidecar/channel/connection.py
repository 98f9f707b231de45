"""One node's connection, at the registry: what it says is taken, and what is due to it is sent.

Sending is driven by how things stand, never by a queue (`shelf.Feed`): what is waiting is one manifest batch and a few
answers.  Taking and sending run beside each other; whichever fails ends both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from sidecar import VERSION as WEFT
from sidecar.channel.messages import (
    HELLO_SECONDS,
    SEND_SECONDS,
    VERSION,
    Autoscaled,
    Await,
    Awaited,
    AwaitIdle,
    Garbage,
    Hello,
    InForce,
    Message,
    Scales,
    Standing,
    Upward,
    Uses,
    Wake,
    Welcome,
    decode_upward,
    encoded,
    named,
)
from sidecar.channel.nodes import KnownNode, Nodes
from sidecar.channel.shelf import Feed

MOST_QUESTIONS: Final = 64
"""Of one node that wait for their answers; one more ends the connection."""


class Connection:
    """A node that is admitted."""

    def __init__(
        self,
        response: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        nodes: Nodes,
        serial: Callable[[], int],
    ) -> None:
        """`serial`: the registry's own, now."""
        self._response = response
        self._transport = transport
        self._nodes = nodes
        self._serial = serial
        self._woken = asyncio.Event()
        self._answers: list[Awaited] = []
        self._asking: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    def cut(self) -> None:
        """End it without a word."""
        if self._transport is not None:
            self._transport.abort()

    async def refuse(self, why: str) -> None:
        """End it, saying why."""
        await self._response.close(code=WSCloseCode.POLICY_VIOLATION, message=why.encode()[:120])

    async def hello(self) -> Hello | None:
        """What it says first; None: it is over."""
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                said = _read(await self._response.receive())
        except (Garbage, TimeoutError) as fault:
            await self.refuse(str(fault) or "no hello came")
            return None
        if isinstance(said, Hello) and said.version == VERSION:
            return said
        other = f"of version {VERSION} of the channel, not {said.version}" if isinstance(said, Hello) else "first"
        await self.refuse(f"a hello is expected {other}")
        return None

    async def run(self, feed: Feed, node: KnownNode, refused: Iterable[str] = ()) -> None:
        """Send and take until one of the two ends it; `refused`: Deployments that it asks for and does not get."""
        try:
            async with asyncio.TaskGroup() as beside:
                sending = beside.create_task(self._send_all(feed, node, tuple(refused)))
                while (said := _read(await self._response.receive())) is not None:
                    node.last_contact = self._nodes.clock()
                    self._take(said, node, feed, beside)
                for task in (sending, *self._asking):
                    task.cancel()
        except* Garbage as garbage:
            await self.refuse(str(garbage.exceptions[0]))
        except* (ConnectionError, TimeoutError):
            self.cut()

    def _take(self, said: Upward, node: KnownNode, feed: Feed, beside: asyncio.TaskGroup) -> None:
        if isinstance(said, InForce):
            self._nodes.has(node, said)
        elif isinstance(said, Await | AwaitIdle):
            if len(self._asking) == MOST_QUESTIONS:
                raise Garbage(f"more than {MOST_QUESTIONS} questions at once")
            task = beside.create_task(self._ask(said, node.name))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        elif isinstance(said, Scales):
            node.scaled(said)
        elif isinstance(said, Wake):
            self._nodes.wake(said.name)
        elif isinstance(said, Uses):
            feed.use(said.number, map(named, said.services))
            self.wake()
        elif isinstance(said, Hello):
            raise Garbage("a second hello")
        else:
            node.counted(said)

    async def _ask(self, said: Await | AwaitIdle, asker: str) -> None:
        deadline = asyncio.get_running_loop().time() + said.seconds
        serial = self._serial()
        if isinstance(said, AwaitIdle):
            missing = await self._nodes.idle(said.replica, deadline, asker)
        else:
            serial = serial if said.serial is None else said.serial
            missing = await self._nodes.confirmed(serial, deadline, asker)
        self._answers.append(Awaited(said.id, serial, missing))
        self.wake()

    async def _send_all(self, feed: Feed, node: KnownNode, refused: tuple[str, ...]) -> None:
        await self._send(Welcome(VERSION, WEFT, refused))
        said: Autoscaled | None = None  # that nothing is autoscaled is news to who was cut off meanwhile
        standby = ""
        while True:
            self._woken.clear()
            if self._nodes.standby != standby:
                standby = self._nodes.standby
                await self._send(Standing(standby))
            if (wanted := self._nodes.wanted_of(node)) != said:
                said = wanted
                await self._send(wanted)
            answers, self._answers = self._answers, []
            for answer in answers:
                await self._send(answer)
            if feed.is_due:
                for message in feed.messages():
                    await self._send(message)
            elif not self._answers:
                await self._woken.wait()

    async def _send(self, message: Message) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._response.send_str(encoded(message))


def _read(message: WSMessage) -> Upward | None:
    """What was said; None: nothing more will be.  Raises `Garbage`."""
    if message.type == WSMsgType.TEXT:
        return decode_upward(message.data)
    if message.type == WSMsgType.BINARY:
        raise Garbage("messages of the channel are text")
    return None
