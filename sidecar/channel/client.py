"""A node's end of the channel: one connection to the registry, opened again whenever it is gone.

The registry is known by the fingerprint of its certificate, which is compared before anything is said.  Tries back off
with jitter, so that many nodes do not come back at one moment.  What goes up says how things stand, counters at most
once a second: nothing is queued, and a connection that begins anew says everything once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from random import Random
from typing import Final, Protocol

import aiohttp

from config.meta import Named
from discovery.backoff import Backoff, BackoffPolicy
from discovery.cancellation import end_if_cancelled
from sidecar import VERSION as WEFT
from sidecar.channel.credentials import Token
from sidecar.channel.failures import words
from sidecar.channel.messages import (
    HEARTBEAT_SECONDS,
    HELLO_SECONDS,
    LARGEST_MESSAGE,
    MOST_BUSY,
    MOST_SECONDS,
    MOST_USES,
    PATH,
    SEND_SECONDS,
    VERSION,
    Autoscaled,
    Await,
    Awaited,
    AwaitIdle,
    Downward,
    Garbage,
    Hello,
    InForce,
    Manifests,
    Message,
    Standing,
    Uses,
    Wake,
    Welcome,
    decode_downward,
    encoded,
)
from sidecar.channel.report import Report
from sidecar.channel.scaling import Scaling
from sidecar.channel.turns import Turns
from sidecar.options import Address

TRIES: Final = BackoffPolicy(first=0.1, ceiling=5.0, jitter=0.5, forget_after=30.0)
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 0.1
"""Of the time until a deadline that an answer may need to get here."""
SAY_SECONDS: Final = 5.0
"""What is in force is said again so often, though it is the same: by that the registry knows when it last heard."""

log = logging.getLogger("weft.channel")


class Receiving(Protocol):
    """Who is told of manifests."""

    def take(self, message: Manifests) -> None:
        """This came."""

    def interrupted(self) -> None:
        """The connection is gone."""


class Channel:
    """The connection while `run` runs."""

    def __init__(
        self,
        addresses: Sequence[Address],
        token: Token,
        received: Receiving,
        report: Report,
        random: Random,
        *,
        role: str = "node",
        runs: Iterable[str] = (),
        scaling: Scaling | None = None,
        partial: bool = False,
    ) -> None:
        """`addresses`: where the registry is; of several, which take the same tokens, the next when one is gone.

        `runs`: the Deployments that run here; `scaling`: who is told how many replicas they are to have; `partial`:
        manifests are wanted of those Services alone that `use` names."""
        self._scaling = scaling
        self._wakes: dict[str, None] = {}
        self._turns = Turns(addresses)
        self._problems: dict[Address, str] = {}
        """What was last said of them since there was a connection."""
        self._token = token
        self._received = received
        self._report = report
        self._random = random
        self._hello = Hello(VERSION, WEFT, role, tuple(sorted(runs)), partial=partial)
        self._uses = Uses(1)
        self._said = InForce()
        self._woken = asyncio.Event()
        self._ids = count()
        self._asking: dict[int, tuple[Await | AwaitIdle, asyncio.Future[Awaited | None]]] = {}
        self._connected = asyncio.Event()
        self.failure = "no registry has answered yet"
        """Why there is no connection; empty while there is one."""

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    def in_force(
        self, *, serial: int | None = None, manifests: int | None = None, busy: Iterable[str] | None = None
    ) -> None:
        """Have the registry know what is in force here; what is not given is as it was."""
        before = self._said
        self._said = InForce(
            before.serial if serial is None else serial,
            before.manifests if manifests is None else manifests,
            before.busy if busy is None else tuple(sorted(busy)[:MOST_BUSY]),
        )
        if self._said != before:
            self._woken.set()

    def use(self, services: Iterable[Named]) -> int:
        """The manifests of these Services are wanted from now on; the number that comes back with them."""
        wanted = tuple(f"{each.namespace}/{each.name}" for each in services)[:MOST_USES]
        self._uses = Uses(self._uses.number + 1, wanted)
        self._woken.set()
        return self._uses.number

    def hurry(self) -> None:
        """Send counters now: there is one that somebody waits for."""
        self._report.hurry()
        self._woken.set()

    def wake(self, name: str) -> bool:
        """Say at once that a request waits for ``NAMESPACE/NAME``; False: nobody could be told."""
        if not self.connected:
            return False
        self._wakes[name] = None
        self.hurry()
        return True

    async def confirmed(self, deadline: float, serial: int | None = None) -> tuple[str, ...] | None:
        """Who does not have `serial` in force, or what the registry has when it is asked; empty: all have.

        Waits until then, at most until `deadline` (the loop's time); None: the registry could not be asked.
        """
        return await self._answered(lambda seconds: Await(next(self._ids), seconds, serial), deadline)

    async def idle(self, replica: str, deadline: float) -> tuple[str, ...] | None:
        """Which nodes have anything in flight on a replica that gets nothing new; as `confirmed`."""
        return await self._answered(lambda seconds: AwaitIdle(next(self._ids), seconds, replica), deadline)

    async def _answered(
        self, question: Callable[[float], Await | AwaitIdle], deadline: float
    ) -> tuple[str, ...] | None:
        """The answer to what `question` makes for as many seconds, asked again when a connection is lost."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    await self._connected.wait()
                    left = min(max(deadline - loop.time() - ANSWER_SECONDS, 0.0), MOST_SECONDS)
                    if (answer := await self._ask(question(left))) is not None:
                        return answer.missing
        except TimeoutError:
            return None

    async def _ask(self, question: Await | AwaitIdle) -> Awaited | None:
        """The answer; None: the connection was lost meanwhile."""
        answer: asyncio.Future[Awaited | None] = asyncio.get_running_loop().create_future()
        self._asking[question.id] = question, answer
        self._woken.set()
        try:
            return await answer
        finally:
            del self._asking[question.id]

    async def run(self) -> None:
        """Hold the connection until cancelled."""
        backoff = Backoff(TRIES, self._random)
        loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(force_close=True, limit=1)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                try:
                    problem = await self._converse(session)
                except* (aiohttp.ClientError, OSError, TimeoutError, Garbage) as failures:
                    problem = words(failures)
                self._lost(problem)
                end_if_cancelled()
                await asyncio.sleep(backoff.failed(loop.time()))

    async def _converse(self, session: aiohttp.ClientSession) -> str:
        """One connection from its beginning to its end; why it ended."""
        async with asyncio.timeout(CONNECT_SECONDS):
            socket = await session.ws_connect(
                f"https://{self._turns.current}{PATH}",
                ssl=aiohttp.Fingerprint(bytes.fromhex(self._token.fingerprint)),
                headers={"Authorization": self._token.authorization},
                heartbeat=HEARTBEAT_SECONDS,
                max_msg_size=LARGEST_MESSAGE,
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
            )
        async with socket:
            await _send(socket, self._hello)
            async with asyncio.timeout(HELLO_SECONDS):
                welcome = _read(await socket.receive())
            if not isinstance(welcome, Welcome):
                return "it did not say welcome" if welcome is not None else _farewell(socket)
            self._began(welcome)
            async with asyncio.TaskGroup() as beside:
                sending = beside.create_task(self._send_all(socket))
                while (said := _read(await socket.receive())) is not None:
                    self._take(said)
                sending.cancel()
        leaves = self._turns.is_to_leave(asyncio.get_running_loop().time())
        return "it stands by, and another one is tried" if leaves else _farewell(socket)

    def _began(self, welcome: Welcome) -> None:
        log.info("connected to the registry's channel at %s", self._turns.current)
        if welcome.refused:  # a new token is for what is said with it, and nothing else
            log.warning(
                "this node's token is not for --run %s: make another one: weft token create %s %s",
                ", ".join(welcome.refused), self._token.node, " ".join(f"--run {each}" for each in self._hello.runs),
            )  # fmt: skip
        self.failure = ""
        self._problems.clear()
        self._report.begin()
        self._wakes.clear()
        if self._scaling is not None:
            self._scaling.begin()
        self._connected.set()

    def _lost(self, problem: str) -> None:
        """There is no connection; only the first of equal reasons is told."""
        address, was_connected = self._turns.current, self._connected.is_set()
        self._connected.clear()
        self._received.interrupted()
        if self._scaling is not None:
            self._scaling.lost()
        for _, answer in self._asking.values():
            if not answer.done():
                answer.set_result(None)
        if problem != self._problems.get(address):
            log.warning("no connection to the registry's channel at %s: %s", address, problem)
        self.failure = self._problems[address] = problem
        self._turns.ended(asyncio.get_running_loop().time(), connected=was_connected)

    def _take(self, said: Downward) -> None:
        if isinstance(said, Manifests):
            self._received.take(said)
        elif isinstance(said, Awaited):
            _, answer = self._asking.get(said.id, (None, None))
            if answer is not None and not answer.done():
                answer.set_result(said)
        elif isinstance(said, Standing):
            self._turns.told(said.standby, asyncio.get_running_loop().time())
            self._woken.set()
        elif isinstance(said, Autoscaled):
            if self._scaling is not None:
                self._scaling.take(said)
                self._woken.set()
        else:
            raise Garbage("a second welcome")

    async def _send_all(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        said: InForce | None = None
        used: Uses | None = None
        again = 0.0
        asked: set[int] = set()
        while True:
            self._woken.clear()
            if self._turns.is_to_leave(loop.time()):
                await socket.close(message=b"another registry acts")
                return
            if self._hello.partial and used is not self._uses:
                used = self._uses
                await _send(socket, used)
            if said != self._said or loop.time() >= again:
                said, again = self._said, loop.time() + SAY_SECONDS
                await _send(socket, said)
            for question, _ in tuple(self._asking.values()):
                if question.id not in asked:
                    await _send(socket, question)
            asked = set(self._asking)
            while self._wakes:
                await _send(socket, Wake(self._wakes.popitem()[0]))
            async for stats in self._report.due(loop.time()):
                await _send(socket, stats)
            if self._scaling is not None and (scales := await self._scaling.due(loop.time())) is not None:
                await _send(socket, scales)
            following = self._scaling.next if self._scaling is not None else again
            await self._pause(min(again, self._report.next, following) - loop.time())

    async def _pause(self, seconds: float) -> None:
        """Until there is something to say."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return


async def _send(socket: aiohttp.ClientWebSocketResponse, message: Message) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await socket.send_str(encoded(message))


def _read(message: aiohttp.WSMessage) -> Downward | None:
    """What was said; None: nothing more will be.  Raises `Garbage`."""
    if message.type == aiohttp.WSMsgType.TEXT:
        return decode_downward(message.data)
    if message.type == aiohttp.WSMsgType.BINARY:
        raise Garbage("messages of the channel are text")
    return None


def _farewell(socket: aiohttp.ClientWebSocketResponse) -> str:
    return f"the registry ended the connection (code {socket.close_code or 'none'})"
