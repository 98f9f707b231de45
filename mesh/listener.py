"""Listeners: the bound addresses of the table in force, kept in step with it.

A listener that cannot be bound says why in its state, is tried again, and stops nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mesh.downstream import HTTPDownstream
from mesh.proxy import Proxy
from mesh.sockets import BindError, Bound, bind
from mesh.table import AppProtocol, ListenerKey, RoutingTable

Factory = Callable[[Proxy, ListenerKey], asyncio.Protocol]
FACTORIES: dict[AppProtocol, Factory] = {"http": HTTPDownstream, "detect": HTTPDownstream, "tcp": HTTPDownstream}
RETRY_SECONDS = 1.0


@dataclass(slots=True)
class ListenerState:
    """What became of one listener: where it is bound, and why not where it was wanted."""

    bound: ListenerKey | None = None
    reason: str = ""


class Listeners:
    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.states: dict[ListenerKey, ListenerState] = {}
        self._bound: dict[ListenerKey, Bound] = {}
        self._servers: dict[ListenerKey, asyncio.Server] = {}
        self._work = asyncio.Event()
        self._table = RoutingTable()
        self._task: asyncio.Task[None] | None = None

    def reconcile(self, table: RoutingTable) -> None:
        """Bring what is bound in line with `table`, soon."""
        self._table = table
        if table.listeners.keys() == self.states.keys() and all(s.bound for s in self.states.values()):
            return
        for key in table.listeners.keys() - self._bound.keys():
            self._bind(key)
        self._work.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="listeners")

    async def close(self) -> None:
        """Accept no more, and close all."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for key in tuple(self._servers):
            self._close(key)

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            for key in self._servers.keys() - self._table.listeners.keys():
                self._close(key)
            for key in tuple(self._table.listeners):
                if key not in self._servers:
                    await self._serve(key)
            if any(state.bound is None for state in self.states.values()):
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._work.set)

    def _bind(self, key: ListenerKey) -> None:
        state = self.states.setdefault(key, ListenerState())
        try:
            bound = bind(key)
        except BindError as error:
            state.reason = str(error)
            return
        self._bound[key] = bound
        state.bound, state.reason = bound.key, bound.reason

    async def _serve(self, key: ListenerKey) -> None:
        if key not in self._bound:
            self._bind(key)
        if key in self._bound:
            socket = self._bound[key].socket
            server = await asyncio.get_running_loop().create_server(lambda: self._accept(key), sock=socket)
            self._servers[key] = server

    def _accept(self, key: ListenerKey) -> asyncio.Protocol:
        listener = self._proxy.table.listeners.get(key)
        protocol: Any = FACTORIES[listener.protocol if listener else "http"]
        return protocol(self._proxy, key)  # type: ignore[no-any-return]

    def _close(self, key: ListenerKey) -> None:
        self._servers.pop(key).close()
        del self._bound[key], self.states[key]
