"""healthCheckNodePort: a balancer outside asks this node whether it has endpoints of a Service of its own.

With externalTrafficPolicy Local a node without such endpoints drops what comes from outside, so whoever spreads
traffic over nodes has to know.  The answer has the shape that kube-proxy gives it: 200 or 503, how many ready
endpoints there are here as JSON, and as the weight of this node in a header field.  What is asked does not matter.
"""

from __future__ import annotations

import json
from select import EPOLLET, EPOLLIN, EPOLLRDHUP
from socket import SHUT_WR, SocketType
from typing import Final

from mesh.gate import Gate
from mesh.plan import BackendPlan
from mesh.proxy import Proxy
from mesh.switchboard import Switchboard
from mesh.table import Listener

PATIENCE: Final = 5.0
"""Seconds in which to ask, and to take the answer."""
LARGEST: Final = 8192
"""Bytes of a question."""


def local_endpoints(plan: BackendPlan) -> int:
    """How many addresses of this node are ready."""
    here = (one for one in plan.endpoints if one.ready and not one.terminating and one.node == plan.rules.node)
    return len({endpoint.address for endpoint in here})


def answer(plan: BackendPlan) -> bytes:
    """The whole response."""
    count = local_endpoints(plan)
    said = {
        "service": {"namespace": plan.key.namespace, "name": plan.key.service},
        "localEndpoints": count,
        "serviceProxyHealthy": True,
    }
    body = json.dumps(said, indent="\t").encode()
    status = b"200 OK" if count else b"503 Service Unavailable"
    return (
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
        b"X-Load-Balancing-Endpoint-Weight: %d\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
    ) % (status, count, len(body), body)


class Inquiry:
    """One connection: a request head comes, the answer goes, and that is all."""

    __slots__ = ("_answered", "_asked", "_board", "_fd", "_gate", "_line", "_listener", "_proxy", "deadline")

    def __init__(self, proxy: Proxy, board: Switchboard, listener: Listener, line: SocketType, gate: Gate) -> None:
        self._proxy = proxy
        self._board = board
        self._listener = listener
        self._line = line
        self._fd = line.fileno()
        self._gate = gate
        self._asked = b""
        self._answered = False
        self.deadline = 0.0

    def start(self) -> None:
        self.deadline = self._proxy.deadlines.now + PATIENCE
        self._proxy.deadlines.watch(self)
        self._proxy.clients.add(self)
        self._board.watch(self._fd, self, EPOLLIN | EPOLLRDHUP | EPOLLET)

    def on_event(self, fd: int, events: int) -> None:
        try:
            while data := self._line.recv(LARGEST):
                self._take(data)
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        self.abort()  # the client has ended

    def on_leftover(self, fd: int, data: bytes) -> None:
        raise AssertionError("nothing is handed on")

    def _take(self, data: bytes) -> None:
        if self._answered:
            return
        self._asked += data
        if b"\r\n\r\n" in self._asked:
            self._answered = True
            self._line.send(answer(self._listener.route.backend.plan))
            self._line.shutdown(SHUT_WR)
        elif len(self._asked) > LARGEST:
            raise ConnectionAbortedError

    def on_deadline(self, now: float) -> None:
        self.abort()

    def drain(self) -> None:
        """It is soon over."""

    def abort(self) -> None:
        """End now."""
        self.deadline = 0.0
        self._proxy.clients.discard(self)
        self._board.hang_up(self._fd, self._line)
        self._gate.left()
