"""Inbound listeners, opened: sockets whose connections and datagrams go to one endpoint each (see `mesh.inbound`).

They are relayed as what comes in at a Service's own listeners is, by a Backend that has this endpoint alone, ready or
not: who dials has judged that.  One that is closed accepts nothing more, so that whoever still dials it is refused and
tries elsewhere; what it has accepted goes on until its ends like.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from config.balancing import EjectionPolicy
from config.policies import TimeoutPolicy
from discovery.endpoint import Endpoint
from mesh import sockets
from mesh.acceptor import RelayAcceptor
from mesh.backend import Backend
from mesh.descriptors import Descriptors
from mesh.exposition import AnySample, Family, Sample
from mesh.gate import Gate
from mesh.plan import BackendKey, BackendPlan
from mesh.proxy import Proxy
from mesh.reasons import TOO_MANY_SESSIONS
from mesh.session import Client, Session
from mesh.sockets import Bound
from mesh.stats import BackendStats
from mesh.switchboard import Switchboard
from mesh.table import Listener, ListenerKey
from mesh.tcp import Relay
from mesh.udp import DatagramAcceptor

CHECK: Final = 0.1
"""Seconds after which a full listener is looked at again."""
_TIMEOUTS: Final = TimeoutPolicy(tunnel_idle=0.0)
"""How long nothing may move is for who dials to say."""
_EJECTION: Final = EjectionPolicy(connect_failures=0)

Binder = Callable[[ListenerKey, sockets.What], Bound]


class InboundAcceptor(RelayAcceptor):
    """Accepts connections for one endpoint."""

    def __init__(
        self, proxy: Proxy, board: Switchboard, listening: socket.socket, gate: Gate, backend: Backend
    ) -> None:
        super().__init__(proxy, board, listening, gate)
        self._backend = backend

    def _receive(self, line: socket.SocketType, listener: Listener | None, address: tuple[str, int]) -> None:
        Relay(self._proxy, self._board, self._backend, line, self._gate).start()

    def finish(self) -> None:
        """Accept no more; what was accepted lives on."""
        self.pause()


class InboundDatagrams(DatagramAcceptor):
    """Takes datagrams for one endpoint."""

    def __init__(
        self, proxy: Proxy, board: Switchboard, listening: socket.socket, gate: Gate, backend: Backend
    ) -> None:
        super().__init__(proxy, board, listening, gate)
        self._backend = backend

    def _begin(self, client: Client, data: bytes) -> None:
        if self.gate.room <= 0 and not self._made_room():
            self._backend.failed(TOO_MANY_SESSIONS)
        else:
            Session(self, self._backend, client).begin(data)


class Whose(NamedTuple):
    """The Service port that counts what comes in."""

    namespace: str
    service: str
    port: str


@dataclass(slots=True)
class _Served:
    bound: Bound
    gate: Gate
    acceptor: InboundAcceptor | InboundDatagrams
    backend: Backend


class InboundListeners:
    """The owner of the inbound listeners of one data plane; needs no task."""

    def __init__(
        self, proxy: Proxy, board: Switchboard, descriptors: Descriptors, binder: Binder = sockets.bind
    ) -> None:
        self._proxy = proxy
        self._board = board
        self._descriptors = descriptors
        self._binder = binder
        self._served: dict[ListenerKey, _Served] = {}
        self._stats: dict[Whose, BackendStats] = {}
        self._checking: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._served)

    def open(self, wanted: ListenerKey, whose: Whose, endpoint: Endpoint, limit: int) -> ListenerKey:
        """Accept for `endpoint`, up to `limit` connections at a time; returns where.  Raises BindError."""
        bound = self._binder(wanted, "Inbound")
        key, proxy = bound.key, self._proxy
        backend = Backend(BackendKey(*whose), proxy.clock, proxy.deadlines)
        backend.stats = self._stats.setdefault(whose, backend.stats)
        gate = Gate(self._descriptors, key, limit, self._full)
        kind = InboundDatagrams if key.transport == "UDP" else InboundAcceptor
        acceptor = kind(proxy, self._board, bound.socket, gate, backend)
        self._served[key] = _Served(bound, gate, acceptor, backend)
        self._descriptors.free -= 1
        proxy.live.inbound[key] = backend
        self.change(key, endpoint, limit)
        acceptor.accept()
        return key

    def change(self, key: ListenerKey, endpoint: Endpoint, limit: int) -> None:
        """Something else is said of the endpoint behind `key`, or of how many connections there may be."""
        served = self._served[key]
        served.gate.limit = limit
        plan = served.backend.plan
        if plan.endpoints != (endpoint,):
            served.backend.apply(
                BackendPlan(plan.key, (endpoint,), _TIMEOUTS, publish_not_ready=True, ejection=_EJECTION)
            )

    def close(self, key: ListenerKey) -> None:
        """Accept no more; what was accepted lives on."""
        served = self._served.pop(key)
        served.acceptor.finish()
        served.bound.socket.close()
        self._descriptors.free += 1
        self._proxy.live.inbound_closed(key)

    def close_all(self) -> None:
        """Close every one, for the last time."""
        for key in tuple(self._served):
            self.close(key)
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None

    def connections(self, key: ListenerKey) -> int:
        """Those and UDP sessions that came in at one listener and are not over."""
        return self._served[key].gate.open

    @property
    def all_connections(self) -> int:
        """Those that came in at any, also at one that is closed by now."""
        return sum(stats.tcp_open + stats.udp_open for stats in self._stats.values())

    def families(self) -> Iterator[Family]:
        """Metrics of what came in here."""
        count = "weft_inbound_listeners"
        yield Family(count, "gauge", "Inbound listeners that are open.", [Sample(count, {}, len(self._served))])
        for name, kind, documentation, samples in _FAMILIES:
            made = [sample for whose, stats in self._stats.items() for sample in samples(name, whose._asdict(), stats)]
            yield Family(name.removesuffix("_total"), kind, documentation, made)

    def _full(self) -> None:
        """A listener stopped accepting for want of room."""
        if self._checking is None:
            self._checking = self._proxy.loop.call_later(CHECK, self._check)

    def _check(self) -> None:
        self._checking = None
        for served in self._served.values():
            served.acceptor.accept()
        if not all(served.acceptor.accepting for served in self._served.values()):
            self._full()


def _total(name: str, labels: dict[str, str], stats: BackendStats) -> Iterator[AnySample]:
    for transport, count in (("TCP", stats.tcp_total), ("UDP", stats.udp_total)):
        if count:
            yield Sample(name, labels | {"transport": transport}, count)


def _open(name: str, labels: dict[str, str], stats: BackendStats) -> Iterator[AnySample]:
    for transport, count, ever in (("TCP", stats.tcp_open, stats.tcp_total), ("UDP", stats.udp_open, stats.udp_total)):
        if ever:
            yield Sample(name, labels | {"transport": transport}, count)


def _bytes(name: str, labels: dict[str, str], stats: BackendStats) -> Iterator[AnySample]:
    for direction, count in (("in", stats.bytes_in), ("out", stats.bytes_out)):
        if count:
            yield Sample(name, labels | {"direction": direction}, count)


def _errors(name: str, labels: dict[str, str], stats: BackendStats) -> Iterator[AnySample]:
    for reason, count in stats.reasons.items():
        yield Sample(name, labels | {"reason": reason}, count)


_FAMILIES: Final = (
    ("weft_inbound_connections_total", "counter", "Connections and UDP sessions from other nodes.", _total),
    ("weft_inbound_connections_open", "gauge", "Those of them that are not over yet.", _open),
    ("weft_inbound_bytes_total", "counter", "Bytes from other nodes (in) and to them (out).", _bytes),
    ("weft_inbound_errors_total", "counter", "Connections from other nodes that could not be handed on.", _errors),
)
