"""What the registry knows of each node: whether it is there, what it has in force, what it counted.

A drain asks when a serial is in force everywhere.  Everywhere is: at each node with a lease in nodes.Z, and at each
that is connected and follows the zone; which these are is looked at again while a question waits, so that nobody
waits for a node that is gone.  The cost of one acknowledgement does not grow with the number of nodes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from msgspec.structs import replace

from discovery.registry.content import later
from mesh.stats import StatsFrame, merge
from sidecar.channel.messages import (
    Autoscaled,
    Hello,
    InForce,
    Scales,
    Stats,
    Wanted,
    Workload,
)
from sidecar.channel.tally import Tally

LOOK_SECONDS: Final = 0.5
"""How often a question looks who there is to wait for."""
MOST_NODES: Final = 10_000
MOST_UNCONFIRMED: Final = 100
"""Drains that are remembered because somebody did not confirm."""

log = logging.getLogger("weft.channel")


class KnownNode:
    """One node, as of the last time it was heard; times are in seconds of `Nodes.clock`."""

    __slots__ = (
        "address",
        "busy",
        "connected",
        "hello",
        "last_contact",
        "manifests",
        "name",
        "runs",
        "serial",
        "since",
        "tally",
        "wanted",
        "workloads",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.hello: Hello | None = None
        self.address = ""
        self.connected = 0
        """Connections: while a node comes again there may be two."""
        self.since = 0.0
        self.last_contact = 0.0
        self.serial: int | None = None
        """In force there, of endpoints.Z."""
        self.manifests = 0
        self.busy: frozenset[str] = frozenset()
        """Replicas that get nothing new from it, and have something in flight."""
        self.runs: frozenset[str] = frozenset()
        """Deployments that it says it runs, and may."""
        self.tally = Tally()
        self.workloads: dict[str, Workload] = {}
        """By ``NAMESPACE/NAME``: those that it runs and that have an autoscaler, as it said last."""
        self.wanted: dict[str, Wanted] = {}
        """What it has been told of them and does not have yet."""

    def counted(self, stats: Stats) -> None:
        """Take counters over."""
        self.tally.counted(stats.backends, whole=stats.whole)

    def scaled(self, said: Scales) -> None:
        """Take over what autoscalers need to know."""
        self.tally.loaded(said.loads)
        known = (each for each in said.workloads if each.name in self.runs or ":" in each.name)
        self.workloads = {each.name: each for each in known}
        for name, wanted in tuple(self.wanted.items()):
            if name in self.workloads and self.workloads[name].desired == wanted.replicas:
                del self.wanted[name]


class _Question:
    """Whether all nodes are as is wanted; `missing` are those that are not."""

    __slots__ = ("done", "missing", "wanted")

    def __init__(self, wanted: Callable[[KnownNode], bool], missing: set[str]) -> None:
        self.wanted = wanted
        self.missing = missing
        self.done = asyncio.Event()


class Unconfirmed(NamedTuple):
    """A drain that went on although not all had confirmed."""

    at: float
    """Seconds of `Nodes.clock`."""
    serial: int
    missing: tuple[str, ...]


class Nodes:
    """All nodes, by name."""

    def __init__(
        self,
        leased: Callable[[], Iterable[str]],
        clock: Callable[[], float],
        admitted: Callable[[str], bool] = bool,
        last_for: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        """`leased`: the names in nodes.Z; `clock`: seconds that never go back; `admitted`: whether a name may connect.

        Nobody waits for a node that could not say anything.  `last_for`: the last serial that a node is told of,
        which stands for all that came after it; None: it is told of each.
        """
        self._last_for = last_for
        self._leased = leased
        self._admitted = admitted
        self.clock = clock
        self._nodes: dict[str, KnownNode] = {}
        self._questions: set[_Question] = set()
        self._gone = Tally()
        """Of nodes that are no longer known."""
        self.autoscaled = Autoscaled(incomplete=True)
        """Those with an autoscaler that acts here: what a node is told of whom nothing special is wanted."""
        self.followers: list[Callable[[], None]] = []
        """Called when a node is to be told something about them."""
        self.standby = ""
        """Why another registry acts, to which nodes should turn; empty: this one does."""
        self.wake: Callable[[str], None] = _unheard
        """Called when a node says that a request waits for one of them."""
        self.unconfirmed: deque[Unconfirmed] = deque(maxlen=MOST_UNCONFIRMED)

    def __iter__(self) -> Iterator[KnownNode]:
        return iter(self._nodes.values())

    def get(self, name: str) -> KnownNode | None:
        return self._nodes.get(name)

    def leased(self) -> set[str]:
        """The names of nodes with a live lease."""
        return set(self._leased())

    def came(self, name: str, hello: Hello, address: str) -> KnownNode:
        """`name` has opened a connection."""
        node = self._nodes.setdefault(name, KnownNode(name))
        node.hello, node.address = hello, address
        node.since = node.last_contact = self.clock()
        node.connected += 1
        # What it had in force the last time says nothing about a process that has just begun.
        node.serial, node.manifests, node.busy = None, 0, frozenset()
        self._bound()
        return node

    def left(self, node: KnownNode) -> None:
        """One of its connections is gone."""
        node.connected -= 1
        node.last_contact = self.clock()
        if not node.connected:
            node.tally.left()

    def forget(self, kept: Collection[str]) -> None:
        """All that is not `kept` and not connected is no longer known."""
        for name, node in tuple(self._nodes.items()):
            if not node.connected and name not in kept:
                self._drop(name)

    def has(self, node: KnownNode, said: InForce) -> None:
        """`node` has this in force."""
        node.serial, node.manifests, node.busy = said.serial, said.manifests, frozenset(said.busy)
        for question in self._questions:
            if node.name in question.missing and question.wanted(node):
                question.missing.discard(node.name)
                if not question.missing:
                    question.done.set()

    def frames(self) -> Mapping[str, StatsFrame]:
        """The last counters of each node, also of those that are not connected now."""
        return {name: StatsFrame(node.tally.current()) for name, node in self._nodes.items()}

    def counters(self, services: Collection[tuple[str, str]]) -> StatsFrame:
        """All that was ever counted by any node of these Services, by namespace and name; it never runs backwards."""
        tallies = (*(node.tally for node in self), self._gone)
        return merge(StatsFrame(list(tally.frames(services))) for tally in tallies)

    @property
    def epoch(self) -> int:
        """Another number whenever counters were added that had been counted before."""
        return self._gone.epoch + sum(node.tally.epoch for node in self)

    def define(self, autoscaled: Autoscaled) -> None:
        """These have an autoscaler now."""
        if autoscaled != self.autoscaled:
            names = {each.name for each in autoscaled.workloads}
            for node in self:
                node.wanted = {name: each for name, each in node.wanted.items() if name in names}
            self.autoscaled = autoscaled
            self.tell()

    def stand(self, standby: str) -> None:
        """This is why another registry acts now; empty: this one does."""
        if standby != self.standby:
            self.standby = standby
            self.tell()

    def tell(self) -> None:
        """Have nodes be told what is wanted of them."""
        for follower in self.followers:
            follower()

    def wanted_of(self, node: KnownNode) -> Autoscaled:
        """What `node` is to know of autoscalers; the same object for all nodes of which nothing special is wanted."""
        if not node.wanted:
            return self.autoscaled
        pairs = ((each, node.wanted.get(each.name, each)) for each in self.autoscaled.workloads)
        own = (replace(each, replicas=told.replicas, victims=told.victims) for each, told in pairs)
        return replace(self.autoscaled, workloads=tuple(own))

    async def confirmed(self, serial: int, deadline: float, asker: str = "") -> tuple[str, ...]:
        """Wait until all have `serial` in force; who has not at `deadline` (the loop's time), `asker` apart."""

        def behind() -> set[str]:
            return {name for name in self._followers(asker) if not self._has(name, serial)}

        missing = await self._asked(lambda node: self._reached(node, serial), behind, deadline)
        if missing:
            self.unconfirmed.append(Unconfirmed(self.clock(), serial, missing))
            log.warning("serial %d was not confirmed in time by %s", serial, ", ".join(missing))
        return missing

    async def idle(self, replica: str, deadline: float, asker: str = "") -> tuple[str, ...]:
        """Wait until nobody has anything in flight on `replica`; who has at `deadline`, `asker` apart."""

        def busy() -> set[str]:
            return {node.name for node in self if node.connected and node.name != asker and replica in node.busy}

        return await self._asked(lambda node: replica not in node.busy, busy, deadline)

    async def _asked(
        self, wanted: Callable[[KnownNode], bool], look: Callable[[], set[str]], deadline: float
    ) -> tuple[str, ...]:
        """Wait until nobody is missing; who is at `deadline`.  `look`: who is missing, as it is looked at anew."""
        loop = asyncio.get_running_loop()
        with self._question(wanted, look()) as question:
            while question.missing and (left := deadline - loop.time()) > 0:
                try:
                    async with asyncio.timeout(min(left, LOOK_SECONDS)):
                        await question.done.wait()
                except TimeoutError:
                    question.missing = look()
            return tuple(sorted(question.missing))

    @contextmanager
    def _question(self, wanted: Callable[[KnownNode], bool], missing: set[str]) -> Iterator[_Question]:
        question = _Question(wanted, missing)
        self._questions.add(question)
        try:
            yield question
        finally:
            self._questions.discard(question)

    def _followers(self, asker: str) -> set[str]:
        """Who is waited for: the living that may connect, and the connected that follow the zone."""
        followers = {name for name in self._leased() if self._admitted(name)}
        followers.update(name for name, node in self._nodes.items() if node.connected and node.serial is not None)
        followers.discard(asker)
        return followers

    def _has(self, name: str, serial: int) -> bool:
        node = self._nodes.get(name)
        return node is not None and self._reached(node, serial)

    def _reached(self, node: KnownNode, serial: int) -> bool:
        """Whether `node` has all in force that it is to know of `serial`."""
        if node.serial is None or _reached(node.serial, serial):
            return node.serial is not None
        last = self._last_for(node.name)
        return last is not None and _reached(node.serial, last)

    def _bound(self) -> None:
        """Forget who was gone first, where there are too many."""
        while len(self._nodes) > MOST_NODES:
            gone = next((name for name, node in self._nodes.items() if not node.connected), None)
            if gone is None:
                return
            self._drop(gone)

    def _drop(self, name: str) -> None:
        """Forget a node, but not what it has counted."""
        node = self._nodes.pop(name)
        self._gone.retire(node.tally.frames())
        self._gone.epoch += node.tally.epoch


def _unheard(_: str) -> None:
    """There is no autoscaler here."""


def _reached(has: int, wanted: int) -> bool:
    """Whether serial `has` is `wanted` or later (RFC 1982)."""
    return has == wanted or later(has, wanted)
