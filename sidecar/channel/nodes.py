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

from discovery.registry.content import later
from mesh.stats import BackendFrame, StatsFrame
from sidecar.channel.messages import Hello, InForce, Stats

LOOK_SECONDS: Final = 0.5
"""How often a question looks who there is to wait for."""
MOST_NODES: Final = 10_000
MOST_BACKENDS: Final = 20_000
"""Of which counters are kept for one node."""
MOST_UNCONFIRMED: Final = 100
"""Drains that are remembered because somebody did not confirm."""

log = logging.getLogger("weft.channel")

BackendName = tuple[str, str, str]


class KnownNode:
    """One node, as of the last time it was heard; times are in seconds of `Nodes.clock`."""

    __slots__ = (
        "address",
        "backends",
        "busy",
        "connected",
        "hello",
        "last_contact",
        "manifests",
        "name",
        "serial",
        "since",
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
        self.backends: dict[BackendName, BackendFrame] = {}

    def counted(self, stats: Stats) -> None:
        """Take counters over."""
        if stats.whole:
            self.backends = {}
        for each in stats.backends:
            name = each.namespace, each.service, each.port
            if name in self.backends or len(self.backends) < MOST_BACKENDS:
                self.backends[name] = each


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
    ) -> None:
        """`leased`: the names in nodes.Z; `clock`: seconds that never go back; `admitted`: whether a name may connect.

        Nobody waits for a node that could not say anything.
        """
        self._leased = leased
        self._admitted = admitted
        self.clock = clock
        self._nodes: dict[str, KnownNode] = {}
        self._questions: set[_Question] = set()
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

    def forget(self, kept: Collection[str]) -> None:
        """All that is not `kept` and not connected is no longer known."""
        self._nodes = {name: node for name, node in self._nodes.items() if node.connected or name in kept}

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
        return {name: StatsFrame(list(node.backends.values())) for name, node in self._nodes.items()}

    async def confirmed(self, serial: int, deadline: float, asker: str = "") -> tuple[str, ...]:
        """Wait until all have `serial` in force; who has not at `deadline` (the loop's time), `asker` apart."""

        def behind() -> set[str]:
            return {name for name in self._followers(asker) if not self._has(name, serial)}

        missing = await self._asked(lambda node: _reached(node.serial, serial), behind, deadline)
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
        return node is not None and _reached(node.serial, serial)

    def _bound(self) -> None:
        """Forget who was gone first, where there are too many."""
        while len(self._nodes) > MOST_NODES:
            gone = next((name for name, node in self._nodes.items() if not node.connected), None)
            if gone is None:
                return
            del self._nodes[gone]


def _reached(has: int | None, wanted: int) -> bool:
    """Whether serial `has` is `wanted` or later (RFC 1982)."""
    return has is not None and (has == wanted or later(has, wanted))
