"""Mirroring: copies of requests, sent for what they do at their endpoints; whatever comes back is thrown away.

Nobody waits for a copy.  It is tried once; where too many are under way, or no endpoint is to be had, it is not sent
at all.  Copies count as requests of the Backend that they go to.
"""

from __future__ import annotations

from typing import Final

from mesh.backend import NO_ANSWER_DUE, Backend, EndpointState
from mesh.http1.body import Body
from mesh.http1.errors import Malformed
from mesh.http1.reframe import reframe
from mesh.http1.response import PlainResponse, Response
from mesh.pool import give_back, take
from mesh.proxy import Proxy
from mesh.reasons import UNREACHABLE, Reason
from mesh.upstream import HEAD, IDLE, RELAY, HTTPUpstream

MOST: Final = 256
"""Copies that one proxy has under way at a time."""
PATIENCE: Final = 30.0
"""Seconds for a copy, from its start to the end of the answer."""
MOST_INTERIM: Final = 32


def send_copy(proxy: Proxy, backend: Backend, message: bytes, bodiless: bool) -> None:
    """Send `message`, a whole request; `bodiless`: its answer has no body, as to HEAD."""
    if len(proxy.copies) >= MOST or backend.plan.send_proxy is not None:  # a copy has no client to speak of
        return
    backend.stats.in_flight += 1  # before anyone is picked: limits count who asks
    state = backend.pick()
    if state is None:
        backend.stats.in_flight -= 1
    else:
        Copy(proxy, backend, state, message, bodiless).send()


class Copy:
    """One copy, which its Backend has counted, until its answer has been read."""

    __slots__ = (
        "_backend", "_bodiless", "_body", "_interim", "_message", "_proxy", "_started", "_state", "_status",
        "_upstream", "deadline",
    )  # fmt: skip

    def __init__(self, proxy: Proxy, backend: Backend, state: EndpointState, message: bytes, bodiless: bool) -> None:
        self._proxy = proxy
        self._backend = backend
        self._state = state
        self._message = message
        self._bodiless = bodiless
        self._upstream: HTTPUpstream | None = None
        self._body: Body | None = None
        self._interim = 0
        self._status = NO_ANSWER_DUE
        self._started = proxy.clock()
        self.deadline = proxy.deadlines.now + PATIENCE
        proxy.copies.add(self)
        proxy.deadlines.watch(self)
        state.in_flight += 1
        state.requests += 1

    def send(self) -> None:
        upstream = take(self._state, self._proxy.deadlines.now)
        if upstream is None:
            self._upstream = upstream = HTTPUpstream(self._proxy, self._state, self)
            upstream.open(self._backend.plan.timeouts.connect, self._backend.plan.tls)
        else:
            self._upstream = upstream
            upstream.exchange = self
            upstream.write(self._message)

    def connected(self) -> None:
        assert self._upstream is not None
        self._backend.connect_succeeded(self._state)
        self._upstream.write(self._message)

    # -- the answer

    def respond_plainly(self, response: PlainResponse, data: bytes) -> None:
        self.respond(response, data)

    def respond(self, response: Response, data: bytes) -> None:
        upstream, end = self._upstream, response.end
        assert upstream is not None
        if response.status < 200:
            self._interim += 1
            if response.status == 101 or self._interim > MOST_INTERIM:
                self._end(reusable=False)
            elif end < len(data):
                upstream.data_received(data[end:])
            return
        self._status = response.status
        if response.timeout:
            upstream.timeout = min(IDLE, response.timeout - 1.0)
        upstream.reusable = upstream.reusable and response.reusable
        upstream.phase = RELAY
        _, self._body, _ = reframe(response, data[:end], self._bodiless, 1, True)
        if self._body.complete or end < len(data):
            self.response_data(data[end:])

    def response_data(self, data: bytes) -> None:
        body = self._body
        assert body is not None
        if not body.complete:
            try:
                body.feed(data)
            except Malformed:
                self._end(reusable=False)
                return
            data = body.rest
        if body.complete:
            self._end(reusable=not data)

    def response_refused(self, fault: Malformed) -> None:
        self._end(reusable=False)

    # -- what may go wrong

    def connect_failed(self, refused: bool, ours: bool, reason: Reason = UNREACHABLE) -> None:
        self._upstream = None
        if not ours:
            self._backend.connect_failed(self._state)
        self._end(reusable=False)

    def connect_timed_out(self) -> None:
        self.connect_failed(refused=False, ours=False)

    def upstream_lost(self, clean: bool) -> None:
        self._upstream = None
        self._end(reusable=False)

    def endpoint_half_closed(self) -> bool:
        return False

    def endpoint_withdrawn(self) -> None:
        """It may yet answer."""

    def hold_request(self) -> None:
        """All of it was written at once."""

    def resume_request(self) -> None:
        """Nothing was held."""

    def on_deadline(self, now: float) -> None:
        self._end(reusable=False)

    def _end(self, *, reusable: bool) -> None:
        upstream, self._upstream = self._upstream, None
        self.deadline = 0.0
        self._proxy.copies.discard(self)
        if upstream is not None:
            upstream.phase = HEAD
            if reusable and upstream.reusable:
                give_back(upstream, self._proxy.deadlines.now)
            else:
                upstream.close()
        stats, seconds = self._backend.stats, self._proxy.clock() - self._started
        self._state.in_flight -= 1
        stats.in_flight -= 1
        if self._status > 0:
            stats.finished(self._status, seconds)
        self._backend.left(self._state, seconds, self._status)
