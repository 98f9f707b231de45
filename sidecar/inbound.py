"""Inbound listeners of this node: opened before what they lead to is published, and closed once that is gone.

What is decided is in `mesh.inbound`, what is opened in `mesh.inbound_listener`; here is when.  The ports are kept in
the state folder.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from pathlib import Path
from typing import Final

import msgspec

from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import ServicePort
from discovery.assignments import replace_whole
from discovery.catalog import PortEndpoints
from discovery.endpoint import Endpoint
from mesh.exposition import Family
from mesh.inbound import Behind, needed, published, reach
from mesh.inbound_listener import InboundListeners, Whose
from mesh.inbound_ports import InboundPorts, NoPort
from mesh.sockets import BindError, Taken
from mesh.table import ListenerKey
from sidecar.documents import Document
from sidecar.errors import UserError

FILE: Final = "inbound.json"
LARGEST_FILE: Final = 4 * 1024 * 1024
TRIES: Final = 50
"""Ports that are tried for one listener in a row."""
RETRY_SECONDS: Final = 2.0

Ports = dict[str, tuple[int, ...]]

log = logging.getLogger(__name__)


class Inbound:
    """The inbound listeners of one process; `run` keeps their ports, and tries again what could not be opened."""

    def __init__(
        self, config_set: ConfigSet, listeners: InboundListeners, folder: Path, on_one_machine: bool = True
    ) -> None:
        """`on_one_machine`: those who share the loopback may dial what is there past the listeners.

        Raises UserError if others cannot dial this node.
        """
        try:
            self._reach = reach(config_set.node)
        except ValueError as problem:
            raise UserError(f"endpoints of this node cannot be published: {problem}") from None
        self.again: Callable[[Iterable[Named]], None] = lambda _: None
        """Called with the Services of which `publish` may now say more."""
        if not on_one_machine and config_set.node.inbound.reach == "auto":
            self._reach = self._reach._replace(everywhere=False)
        self._limit = config_set.node.connections.per_listener
        self._listeners = listeners
        self._file = folder / FILE
        self._ports = InboundPorts(load_ports(self._file))
        self._doors: dict[Behind, ListenerKey] = {}
        self._users: dict[Behind, set[Named]] = {}
        """The Services that publish what is behind a listener."""
        self._behind: dict[Named, frozenset[Behind]] = {}
        """What each Service publishes by listeners."""
        self._failed: dict[Named, str] = {}
        """Services some of whose endpoints have no listener, and why."""
        self._stirred = asyncio.Event()
        self._saved: Ports = self._ports.assigned

    def publish(self, name: Named, ports: Sequence[ServicePort], endpoints: PortEndpoints) -> PortEndpoints:
        """What others are to be told of all endpoints that a Service has on this node; none: it has none any more."""
        wanted = needed(name, ports, endpoints, self._reach)
        before = self._behind.pop(name, frozenset())
        failures = [self._keep(name, behind, port, endpoint) for behind, (port, endpoint) in wanted.items()]
        for behind in before - wanted.keys():
            self._leave(name, behind)
        if wanted:
            self._behind[name] = frozenset(wanted)
        self._note(name, next(filter(None, failures), ""))
        doors = {behind: self._doors[behind].port for behind in wanted if behind in self._doors}
        return published(name, ports, endpoints, self._reach, doors)

    async def run(self) -> None:
        """Keep the ports that were given out, and open what could not be opened, until cancelled."""
        again_at = inf
        while True:
            if self._failed and again_at == inf:
                again_at = time.monotonic() + RETRY_SECONDS
            await self._wait(again_at - time.monotonic())
            self._stirred.clear()
            await self._save()
            if time.monotonic() >= again_at:
                again_at = inf
                self.again(tuple(self._failed))

    def close(self) -> None:
        """Accept nothing any more."""
        self._listeners.close_all()
        self._doors.clear()

    def document(self) -> tuple[int, Document]:
        """What the admin API says of them."""
        doors = [
            {
                "listener": str(key),
                "transport": key.transport,
                "endpoint": str(ListenerKey(behind.address, behind.port)),
                "services": sorted(map(str, self._users[behind])),
                "connections": self._listeners.connections(key),
            }
            for behind, key in self._doors.items()
        ]
        return 200, {"address": self._reach.address, "listeners": doors}

    def families(self) -> Iterator[Family]:
        """Their metrics."""
        return self._listeners.families()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds if seconds < inf else None):
                await self._stirred.wait()
        except TimeoutError:
            return

    def _keep(self, name: Named, behind: Behind, port: str, endpoint: Endpoint) -> str:
        """Have a listener for what is behind; why there is none, else empty."""
        self._users.setdefault(behind, set()).add(name)
        if behind in self._doors:
            self._listeners.change(self._doors[behind], endpoint, self._limit)
            return ""
        try:
            self._doors[behind] = self._opened(Whose(*name, port), behind, endpoint)
        except (BindError, NoPort) as problem:
            return str(problem) or "all ports for inbound listeners are in use"
        self._stirred.set()
        return ""

    def _opened(self, whose: Whose, behind: Behind, endpoint: Endpoint) -> ListenerKey:
        """Open a listener.  Raises BindError or NoPort."""
        failure = BindError("no port is free")
        for _ in range(TRIES):
            number = self._ports.take(behind.owner)
            key = ListenerKey(self._reach.address, number, behind.transport)
            try:
                return self._listeners.open(key, whose, endpoint, self._limit)
            except Taken as taken:
                failure = taken
                self._ports.refuse(number)
            except BindError:
                self._ports.give_back(number)
                raise
        raise failure

    def _leave(self, name: Named, behind: Behind) -> None:
        """The Service does not have this endpoint any more."""
        users = self._users[behind]
        users.discard(name)
        if users:
            return
        del self._users[behind]
        key = self._doors.pop(behind, None)
        if key is not None:
            self._listeners.close(key)
            self._ports.give_back(key.port)
            self._stirred.set()

    def _note(self, name: Named, failure: str) -> None:
        if not failure:
            self._failed.pop(name, None)
            return
        if self._failed.get(name) != failure:
            log.warning("endpoints of Service %s are not published: %s", name, failure)
        self._failed[name] = failure
        self._stirred.set()

    async def _save(self) -> None:
        assigned = self._ports.assigned
        if assigned == self._saved:
            return
        try:
            await asyncio.to_thread(replace_whole, self._file, msgspec.json.encode({"ports": assigned}))
            self._saved = assigned
        except OSError as error:
            log.warning("the ports of inbound listeners cannot be kept in %s: %s", self._file, error.strerror)


class _Remembered(msgspec.Struct):
    ports: Ports


def load_ports(file: Path) -> Ports:
    """What the file remembers; nothing if there is none, or none that can be read."""
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise ValueError("it is too large")
        return msgspec.json.decode(file.read_bytes(), type=_Remembered).ports
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("the ports of inbound listeners in %s cannot be read (%s): they are given out anew", file, error)
        return {}
