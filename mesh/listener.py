"""Listeners: the bound addresses of the table in force, kept in step with it.

A listener that cannot be bound says why in its state, is tried again with back-off, and stops nothing else.  One
that stays keeps its socket, whatever else about it changes; a change of protocol is for new connections.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from discovery.backoff import Backoff, BackoffPolicy
from mesh import sockets
from mesh.acceptor import Acceptor, acceptor_type
from mesh.descriptors import Descriptors, raise_limit
from mesh.downstream import HTTPDownstream
from mesh.gate import Gate
from mesh.inbound_listener import InboundListeners
from mesh.introduction import Introduction
from mesh.node_health import Inquiry
from mesh.proxy import Proxy
from mesh.reasons import CUT_SHORT, OVERSTAYED
from mesh.sniffer import Sniffer
from mesh.sockets import BindError, Bound
from mesh.switchboard import Switchboard
from mesh.table import Entry, Listener, ListenerKey, RoutingTable
from mesh.tcp import Relay
from mesh.udp import Session

RETRIES: Final = BackoffPolicy(first=0.5, ceiling=30.0, jitter=0.2)
CHECK: Final = 0.1
"""Seconds after which a full listener is looked at again."""
AT_ONCE: Final = 512
"""Connections that are told of a new table before the loop has its turn."""
UNPRIVILEGED: Final = 1024
"""Ports from here on need no right."""
SLICE: Final = 0.001
"""Seconds of opening and closing before the loop has its turn."""

Binder = Callable[[ListenerKey, Entry], Bound]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ListenerState:
    """What became of one listener: where it is bound, and why not where it was wanted."""

    bound: ListenerKey | None = None
    reason: str = ""
    gate: Gate | None = None

    @property
    def connections(self) -> int:
        """Open ones."""
        return self.gate.open if self.gate else 0


@dataclass(slots=True)
class _Served:
    """A bound listener and who accepts there."""

    bound: Bound
    gate: Gate
    acceptor: Acceptor


@dataclass(slots=True)
class _Failed:
    backoff: Backoff
    again_at: float = 0.0
    reason: str = field(default="")


class Listeners:
    """The owner of all listening sockets of the data plane, and of the switchboard behind them."""

    def __init__(
        self, proxy: Proxy, binder: Binder = sockets.bind, random: Random | None = None, limit: int | None = None
    ) -> None:
        """`limit`: descriptors that this process may have open; None: as many as the system allows."""
        self._proxy = proxy
        self._binder = binder
        self._random = random or Random()
        self._descriptors = Descriptors(raise_limit() if limit is None else limit)
        self._board = Switchboard(proxy.loop)
        self.inbound = InboundListeners(proxy, self._board, self._descriptors)
        """They are closed by themselves: a node that ends goes on serving others until its replicas are stopped."""
        self.states: dict[ListenerKey, ListenerState] = {}
        """Of all listeners of the table that was handed over last."""
        self._served: dict[ListenerKey, _Served] = {}
        self._failed: dict[ListenerKey, _Failed] = {}
        self._table = RoutingTable()
        self._followed = self._table
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()

    def reconcile(self, table: RoutingTable) -> None:
        """Bring what is bound in line with `table`, soon and in slices."""
        if self._settled.is_set() and self._followed is self._table and table.listeners is self._table.listeners:
            self._table = self._followed = table  # most tables differ in endpoints only
            return
        if table is not self._table:
            self._settled.clear()
        self._table = table
        self._wake.set()
        if self._task is None:
            self._task = self._proxy.loop.create_task(self._run(), name="listeners")

    async def settled(self) -> None:
        """Wait until all listeners of the last table are open or have been tried."""
        await self._settled.wait()

    async def close_outside(self) -> None:
        """Accept what has come from outside, and no more; at ClusterIPs, where replicas ask each other, all goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await _one_by_one((key, self._empty) for key in tuple(self._served) if not self._is_inside(key))

    def drain_outside(self) -> None:
        """Close connections of clients from outside that are idle, the others when they are."""
        for client in self._outside():
            client.drain()

    @property
    def serves_outside(self) -> bool:
        """Whether HTTP clients from outside still have connections."""
        return next(self._outside(), None) is not None

    async def close(self) -> None:
        """Accept what has come, and no more, anywhere; connections that are open live on."""
        await self.close_outside()
        await _one_by_one((key, self._empty) for key in tuple(self._served))
        self.states.clear()

    async def _empty(self, key: ListenerKey) -> None:
        self._served[key].acceptor.empty()
        await self._close(key)

    def _outside(self) -> Iterator[HTTPDownstream]:
        clients = tuple(self._proxy.clients)
        return (each for each in clients if isinstance(each, HTTPDownstream) and not self._is_inside(each.key))

    def _is_inside(self, key: ListenerKey) -> bool:
        listener = self._table.listeners.get(key)
        return listener is not None and listener.entry == "ClusterIP"

    def give_up(self) -> None:
        """End what is in progress, visibly, and tell whoever can be told why."""
        for client in tuple(self._proxy.clients):
            if isinstance(client, HTTPDownstream):
                client.give_up(OVERSTAYED)
            elif isinstance(client, Relay | Session):
                client.give_up(CUT_SHORT)
            elif isinstance(client, Sniffer | Inquiry | Introduction):
                client.abort()

    def abort(self) -> None:
        """End the connections that are still open, at once; nothing is relayed after this."""
        self.give_up()
        for client in tuple(self._proxy.clients):
            if isinstance(client, HTTPDownstream):
                client.cut(visibly=False)
        self._board.close()

    # -- keeping in step

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), self._pause())
            except TimeoutError:
                await self._revisit()
                continue
            self._wake.clear()
            if self._followed is not self._table:
                await self._follow(self._table)

    def _pause(self) -> float | None:
        """Seconds until something is due; None: nothing is, until the table changes."""
        if any(not served.acceptor.accepting for served in self._served.values()):
            return CHECK
        if not self._failed:
            return None
        return max(min(failed.again_at for failed in self._failed.values()) - self._proxy.clock(), 0.0)

    async def _follow(self, table: RoutingTable) -> None:
        before, self._followed = self._followed, table
        if before.listeners is table.listeners:
            self._settled.set()
            return
        gone = self.states.keys() - table.listeners.keys()
        known = map(before.listeners.get, table.listeners)
        differing = [key for (key, now), old in zip(table.listeners.items(), known, strict=True) if now is not old]
        # What has to be bound near its port for want of a right must not take one that is wanted.
        wanted = sorted(differing, key=lambda key: key.port < UNPRIVILEGED)
        await _one_by_one([(key, self._drop) for key in gone] + [(key, self._keep) for key in wanted])
        if table is self._table:
            self._settled.set()
        await self._let_go()

    async def _let_go(self) -> None:
        for number, client in enumerate(tuple(self._proxy.clients), 1):
            if isinstance(client, HTTPDownstream):
                client.let_go()
            if not number % AT_ONCE:
                await asyncio.sleep(0)

    async def _keep(self, key: ListenerKey) -> None:
        """Open it if it is new; follow its limit, and what decides who accepts, if not."""
        listener = self._table.listeners.get(key)
        served = self._served.get(key)
        if listener is None or key in self._failed:
            return
        if served is None:
            await self._open(key, listener)
            return
        served.gate.limit = listener.limit
        if type(served.acceptor) is not acceptor_type(listener):
            await served.acceptor.close()
            served.acceptor = self._acceptor(listener, served.bound, served.gate)
            await served.acceptor.resume()

    async def _drop(self, key: ListenerKey) -> None:
        if key not in self._table.listeners:
            self._failed.pop(key, None)
            await self._close(key)

    async def _revisit(self) -> None:
        """Try again what could not be bound, and what was full."""
        now = self._proxy.clock()
        for key in [key for key, failed in self._failed.items() if failed.again_at <= now]:
            listener = self._table.listeners.get(key)
            if listener is not None:
                await self._open(key, listener)
        for served in tuple(self._served.values()):
            await served.acceptor.resume()

    # -- one listener

    async def _open(self, key: ListenerKey, listener: Listener) -> None:
        state = self.states.setdefault(key, ListenerState())
        try:
            bound = self._binder(key, listener.entry)
        except BindError as error:
            self._not_bound(key, state, str(error))
            return
        if self._failed.pop(key, None) is not None:
            log.info("%s is bound now", key)
        elif bound.reason:
            log.warning("%s is served at %s: %s", key, bound.key, bound.reason)
        gate = Gate(self._descriptors, key, listener.limit, self._wake.set)
        state.bound, state.reason, state.gate = bound.key, bound.reason, gate
        served = _Served(bound, gate, self._acceptor(listener, bound, gate))
        self._served[key] = served
        self._descriptors.free -= 1
        await served.acceptor.resume()

    def _not_bound(self, key: ListenerKey, state: ListenerState, reason: str) -> None:
        failed = self._failed.get(key)
        if failed is None:
            failed = self._failed[key] = _Failed(Backoff(RETRIES, self._random))
        if failed.reason != reason:
            log.warning("cannot listen: %s", reason)
        now = self._proxy.clock()
        failed.reason = state.reason = reason
        failed.again_at = now + failed.backoff.failed(now)

    def _acceptor(self, listener: Listener, bound: Bound, gate: Gate) -> Acceptor:
        return acceptor_type(listener)(self._proxy, self._board, bound.socket, gate)

    async def _close(self, key: ListenerKey) -> None:
        self.states.pop(key, None)
        served = self._served.pop(key, None)
        if served is not None:
            await served.acceptor.close()
            served.bound.socket.close()
            self._descriptors.free += 1


async def _one_by_one(steps: Iterable[tuple[ListenerKey, Callable[[ListenerKey], Awaitable[None]]]]) -> None:
    """Take each step, and let the loop have its turn in between."""
    began = time.perf_counter()
    for key, step in steps:
        await step(key)
        if time.perf_counter() - began > SLICE:
            await asyncio.sleep(0)
            began = time.perf_counter()
