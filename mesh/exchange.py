"""An exchange: one request, and its response, between a client and whichever endpoint it takes.

The phases in reading order: *begin* (count, make the head), *send* (pick an endpoint, take a connection),
*respond* (hand on the head), *relay* (hand on bodies), *finish* (count, give the connection back); then what
may fail.  What fails before the response began may go to another endpoint.  A connection of a client reuses
one Exchange for all of its requests, so the common way touches few slots: `_simple` says that nothing but
these was touched.
"""

from __future__ import annotations

import time
from typing import Final

from config.policies import RetryCondition
from mesh.access_log import AccessRecord
from mesh.backend import Backend, EndpointState
from mesh.http1.answer import answer
from mesh.http1.body import CHUNKED, LAST_CHUNK, Body, EncodedBody, EndlessBody, LengthBody
from mesh.http1.chunked import ChunkedBody
from mesh.http1.errors import Malformed
from mesh.http1.reframe import reframe
from mesh.http1.request import Request
from mesh.http1.response import CarefulResponse, Response
from mesh.outgoing import HeadWriter
from mesh.pool import give_back, take
from mesh.proxy import Proxy
from mesh.reasons import (
    BAD_REQUEST,
    BODY_STALLED,
    CLIENT_GONE,
    CONNECTION_REFUSED,
    CONNECTION_TERMINATED,
    CONNECTION_TIMEOUT,
    NO_ENDPOINTS,
    RESPONSE_INCOMPLETE,
    RESPONSE_MALFORMED,
    RESPONSE_STALLED,
    RESPONSE_TIMEOUT,
    UPGRADE_FAILED,
    Reason,
)
from mesh.retry import IDEMPOTENT, REPLAYED_BODY, decide
from mesh.roles import Client
from mesh.table import Listener
from mesh.tunnel import Tunnel
from mesh.upstream import HEAD, IDLE, RELAY, HTTPUpstream

NEVER: Final = float("inf")
RETRY_WAIT: Final = 1.0
"""Seconds that a retry waits for a place in the budget."""
MOST_INTERIM: Final = 32
"""Interim responses before the final one."""


class Exchange:
    __slots__ = (
        "_answered", "_backend", "_body", "_bytes_in", "_bytes_out", "_client", "_connected", "_head", "_idle",
        "_interim", "_kept", "_kept_size", "_listener", "_persistent", "_proxy", "_reason", "_request",
        "_response_body", "_retries", "_retrying", "_simple", "_started", "_state", "_status", "_tried", "_tunnel",
        "_upstream", "_waiting", "_writer", "running",
    )  # fmt: skip

    _request: Request
    _backend: Backend
    _listener: Listener
    _head: bytes
    _started: float
    _idle: float
    _bytes_in: int

    def __init__(self, proxy: Proxy, client: Client) -> None:
        self._proxy = proxy
        self._client = client
        self._writer = HeadWriter(proxy, client.peer)
        self._upstream: HTTPUpstream | None = None
        self._state: EndpointState | None = None
        self._forget()

    def _forget(self) -> None:
        """Be as new for the next request."""
        self._body: Body | None = None
        self._kept: list[bytes] | None = []
        """What has been read of the request's body and may be sent again; None: not all of it is here."""
        self._kept_size = 0
        self._response_body: Body | None = None
        self._tunnel: Tunnel | None = None
        self._tried: tuple[EndpointState, ...] = ()
        self._retries = 0
        self._retrying = False
        """This is a retry, which has a place in the budget."""
        self._waiting: Reason | None = None
        """Why the last try failed, while the next one waits for a place in the budget."""
        self._connected = False
        self._interim = 0
        self._answered = False
        self._persistent = False
        """The client's connection goes on after the response that has begun."""
        self._status = 0
        self._reason = ""
        self._bytes_out = 0
        self._simple = True
        self.running = False

    # -- begin: count, make the head

    def begin(self, request: Request, rest: bytes, listener: Listener) -> None:
        """Start on `request`; `rest` is what was read of its body along with the head."""
        self._request = request
        self._listener = listener
        self._backend = backend = listener.route.backend
        backend.stats.in_flight += 1
        self._started = self._proxy.clock()
        self.running = True
        self._head = self._writer.write(request, listener)
        self._bytes_in = len(request.lines)
        timeouts = backend.plan.timeouts
        self._idle = timeouts.idle or NEVER
        self._client.deadline = self._proxy.deadlines.now + (timeouts.response_head or NEVER)
        if not request.plain:
            self._simple = False
            if request.length and not self._begin_body(request.length, rest):
                return
        elif request.method == b"HEAD":
            self._simple = False
        self._send()

    def _begin_body(self, length: int, rest: bytes) -> bool:
        """Follow the request's body; False: what came with the head already shows that it is malformed."""
        self._body = ChunkedBody(BAD_REQUEST) if length == CHUNKED else LengthBody(length)
        return not rest or self._take_body(self._body, rest) is not None

    # -- send: pick an endpoint, take or open a connection

    def _send(self) -> None:
        state = self._backend.pick(self._tried)
        if state is None:
            self._fail(NO_ENDPOINTS)
            return
        self._state = state
        state.in_flight += 1
        state.requests += 1
        upstream = take(state, self._proxy.deadlines.now) if self._simple or not self._retries else None
        if upstream is None:
            self._simple = False
            self._upstream = upstream = HTTPUpstream(self._proxy, state, self)
            upstream.open(self._backend.plan.timeouts.connect)
            return
        self._upstream = upstream
        upstream.exchange = self
        if self._simple:
            upstream.write(self._head)
        else:
            self._transmit(upstream)

    def connected(self) -> None:
        """The connection that `_send` opened is there."""
        assert self._state is not None
        assert self._upstream is not None
        self._backend.connect_succeeded(self._state)
        self._transmit(self._upstream)
        self._client.resume()

    def _transmit(self, upstream: HTTPUpstream) -> None:
        """Send all there is so far; more of it than may be kept will not be there for another try."""
        assert self._kept is not None
        self._connected = True
        upstream.write(b"".join([self._head, *self._kept]) if self._kept else self._head)
        if self._kept_size > REPLAYED_BODY:
            self._kept = None

    # -- relay the request's body

    def request_data(self, data: bytes) -> None:
        """More of the request's body was read."""
        assert self._body is not None
        pieces = self._take_body(self._body, data)
        if pieces is None:
            return
        if self._connected and self._upstream is not None:
            for piece in pieces:
                self._upstream.write(piece)
        elif self._kept_size > REPLAYED_BODY:
            self._client.hold()

    def _take_body(self, body: Body, data: bytes) -> tuple[bytes, ...] | None:
        """What may be sent on of `data`; None: the body is malformed, and the exchange has been ended."""
        self._bytes_in += len(data)
        timeouts = self._backend.plan.timeouts
        try:
            pieces = body.feed(data)
        except Malformed as fault:
            self._end_badly(fault.reason, fault.details)
            return None
        if self._kept is not None:
            self._kept_size += len(data)
            self._kept.extend(pieces)
            if self._kept_size > REPLAYED_BODY and self._connected:
                self._kept = None
        wait = timeouts.response_head if body.complete else timeouts.idle
        self._client.deadline = self._proxy.deadlines.now + (wait or NEVER)
        if body.complete:
            self._client.request_read(body.rest)
        return pieces

    def hold_request(self) -> None:
        self._client.hold()

    def resume_request(self) -> None:
        self._client.resume()

    # -- respond: hand on the head

    def respond(self, response: Response, data: bytes, end: int) -> None:
        """A response head was read; it is the first `end` bytes of `data`."""
        if (
            self._simple
            and response.plain
            and response.length == len(data) - end
            and response.status != 503
            and not self._proxy.draining
        ):
            # All of it in one read, nothing to change but one line at most: the way of most responses.
            self._client.write(data if response.cut < 0 else data[: response.cut] + data[response.cut + 24 :])
            self._bytes_out = len(data)
            self._finish(response.status)
        elif response.status < 200:
            self._respond_interim(response, data, end)
        elif response.status != 503 or not self._retry_503():
            self._respond_carefully(response, data, end)

    def _respond_interim(self, response: Response, data: bytes, end: int) -> None:
        """RFC 9110 section 15.2: any number of them may come, for a client that knows of them."""
        assert isinstance(response, CarefulResponse)
        assert self._upstream is not None
        self._simple = False
        if response.status == 101:
            self._switch(response, data[end:])
            return
        self._interim += 1
        if self._interim > MOST_INTERIM:
            self.response_refused(Malformed(RESPONSE_MALFORMED, "too many interim responses"))
            return
        if self._request.minor:
            self._client.write(response.start + b"\r\n")
        if end < len(data):
            self._upstream.data_received(data[end:])

    def _respond_carefully(self, response: Response, data: bytes, end: int) -> None:
        upstream, request = self._upstream, self._request
        assert upstream is not None
        self._simple = False
        if response.timeout:
            upstream.timeout = min(IDLE, response.timeout - 1.0)
        upstream.reusable = upstream.reusable and response.reusable
        upstream.phase = RELAY
        self._end_retry()
        self._answered = True
        self._status = response.status
        head, self._response_body, self._persistent = reframe(
            response,
            data[:end],
            request.method == b"HEAD",
            request.minor,
            request.keep_alive and self._request_is_read and not self._proxy.draining,
        )
        self._bytes_out = len(head)
        self._client.deadline = self._proxy.deadlines.now + self._idle
        self._client.write(head)
        if self._response_body.complete:
            self._complete(data[end:])
        elif end < len(data):
            self.response_data(data[end:])

    @property
    def _request_is_read(self) -> bool:
        return self._body is None or self._body.complete

    # -- relay the response's body

    def response_data(self, data: bytes) -> None:
        """More of the response's body was read."""
        body, write = self._response_body, self._client.write
        assert body is not None
        try:
            pieces = body.feed(data)
        except Malformed as fault:
            self._end_badly(fault.reason, fault.details)
            return
        for piece in pieces:
            write(piece)
        self._bytes_out += len(data)
        self._client.deadline = self._proxy.deadlines.now + self._idle
        if body.complete:
            self._complete(body.rest)

    def hold_response(self) -> None:
        """The client reads more slowly than the endpoint sends."""
        if self._upstream is not None:
            self._upstream.hold()

    def resume_response(self) -> None:
        if self._upstream is not None:
            self._upstream.resume()

    def _complete(self, beyond: bytes) -> None:
        """The response is complete.  Bytes beyond it would be taken for the next one's: who sends them is left."""
        if self._upstream is not None:
            self._upstream.phase = HEAD
            if beyond or not self._request_is_read:
                self._upstream.reusable = False
        if self._persistent:
            self._finish(self._status)
        else:
            self._end(self._status)
            self._client.close_gently()

    # -- finish: count, give the connection back

    def _finish(self, status: int) -> None:
        """The exchange is over, and the client's connection goes on."""
        self._end(status)
        self._client.ready(self._proxy.deadlines.now, self._idle)

    def _end(self, status: int) -> None:
        upstream, state, stats = self._upstream, self._state, self._backend.stats
        if upstream is not None:
            self._upstream = None
            if upstream.reusable:
                give_back(upstream, self._proxy.deadlines.now)
            else:
                upstream.close()
        if state is not None:
            self._state = None
            state.in_flight -= 1
        stats.in_flight -= 1
        stats.bytes_in += self._bytes_in
        stats.bytes_out += self._bytes_out
        seconds = self._proxy.clock() - self._started
        if self._tunnel is None:  # a tunnel was counted when it began
            stats.finished(status, seconds)
        if self._proxy.access_log is not None:
            self._log(state, status, seconds)
        self.running = False
        if not self._simple:
            self._forget()

    def _log(self, state: EndpointState | None, status: int, seconds: float) -> None:
        assert self._proxy.access_log is not None
        request, key, peer = self._request, self._backend.key, self._client.peer
        self._proxy.access_log(
            AccessRecord(
                time=time.time() - seconds,
                client=peer.address,
                listener=str(self._listener.key),
                namespace=key.namespace,
                service=key.service,
                port=key.port,
                method=request.method.decode("ascii"),
                target=request.lines[len(request.method) + 1 : request.lines.find(b" HTTP/1.1\r\n")].decode("ascii"),
                status=status,
                reason=self._reason,
                endpoint=f"{state.host}:{state.port}" if state is not None else "",
                tries=self._retries + 1,
                seconds=seconds,
                bytes_in=self._bytes_in,
                bytes_out=self._bytes_out,
                request_id=self._writer.request_id.decode("ascii"),
            )
        )

    # -- switch protocols

    def _switch(self, response: CarefulResponse, rest: bytes) -> None:
        """The endpoint accepted an Upgrade: hand both connections to a tunnel."""
        upstream, client, stats = self._upstream, self._client, self._backend.stats
        assert upstream is not None
        if not response.upgrade or not self._writer.offered or not self._request_is_read:
            self._end_badly(UPGRADE_FAILED, UPGRADE_FAILED.details)
            return
        if not set(response.upgrade) <= set(self._writer.offered):
            self._end_badly(UPGRADE_FAILED, UPGRADE_FAILED.details)
            return
        self._end_retry()
        self._status = 101
        stats.finished(101, self._proxy.clock() - self._started)
        idle = self._backend.plan.timeouts.tunnel_idle or NEVER
        self._tunnel = tunnel = Tunnel(self._proxy, client, upstream, idle, self._tunnel_ended)
        upstream.reusable = False
        upstream.tunnel(tunnel)
        early = client.become(tunnel)
        accepted = b"Connection: upgrade\r\nUpgrade: %b\r\n\r\n" % b", ".join(response.upgrade)
        client.write(response.start + accepted)
        client.deadline = self._proxy.deadlines.now + idle
        if rest:
            tunnel.response_data(rest)
        if early:
            tunnel.request_data(early)

    def _tunnel_ended(self) -> None:
        assert self._tunnel is not None
        self._bytes_in += self._tunnel.bytes_in
        self._bytes_out += self._tunnel.bytes_out
        self._upstream = None
        self._end(101)

    # -- what may fail on the endpoint's side

    def connect_failed(self, refused: bool) -> None:
        self._upstream = None
        assert self._state is not None
        self._backend.connect_failed(self._state)
        self._try_again("refused" if refused else "connect-failure", CONNECTION_REFUSED)

    def connect_timed_out(self) -> None:
        self._upstream = None
        assert self._state is not None
        self._backend.connect_failed(self._state)
        self._try_again("connect-failure", CONNECTION_TIMEOUT)

    def endpoint_half_closed(self) -> bool:
        return False

    def endpoint_withdrawn(self) -> None:
        """Move to another endpoint if that is certain to be harmless; else the endpoint may yet answer."""
        assert self._upstream is not None
        if self._answered or self._upstream.answering or not self._backend.eligible:
            return
        budget, plan = self._backend.retry_budget, self._backend.plan
        if not budget.has_room(self._backend.stats.in_flight, plan.retries.budget_percent):
            return
        if self._decide("reset") == "tried":
            self._try_again("reset", CONNECTION_TERMINATED)

    def upstream_lost(self, clean: bool) -> None:
        """The connection to the endpoint has ended; `clean`: the endpoint closed it in an orderly way."""
        upstream, self._upstream = self._upstream, None
        assert upstream is not None
        self._simple = False
        if not self._answered:
            if upstream.answering:
                self._fail(RESPONSE_INCOMPLETE)
            else:
                self._try_again("reset", CONNECTION_TERMINATED)
        elif clean and isinstance(self._response_body, EncodedBody | EndlessBody):
            if isinstance(self._response_body, EncodedBody):
                self._client.write(LAST_CHUNK)
            self._complete(b"")
        else:
            self._cut(RESPONSE_INCOMPLETE)

    def response_refused(self, fault: Malformed) -> None:
        self._end_badly(fault.reason, fault.details)

    def _retry_503(self) -> bool:
        """A 503 that the policy retries is not shown to the client."""
        if self._decide("503") != "tried":
            return False
        self._try_again("503", CONNECTION_TERMINATED)
        return True

    # -- try again

    def _decide(self, cause: RetryCondition) -> str | None:
        sent = self._connected or self._simple
        replayable = not self._interim and (not sent or (self._request.method in IDEMPOTENT and self._kept is not None))
        return decide(self._backend.plan.retries, cause, replayable, self._retries)

    def _try_again(self, cause: RetryCondition, reason: Reason) -> None:
        """A try failed before a response began: go to another endpoint, now or when the budget has room."""
        outcome = self._decide(cause)
        self._simple = False
        self._release()
        self._end_retry()
        if outcome is not None:
            self._count_retry(outcome)
        if outcome != "tried":
            self._fail(reason)
            return
        self._retries += 1
        stats = self._backend.stats
        percent = self._backend.plan.retries.budget_percent
        if self._backend.retry_budget.start(self, stats.in_flight, percent):
            self.retry_now()
        else:
            self._waiting = reason
            self._client.deadline = self._proxy.deadlines.now + RETRY_WAIT

    def retry_now(self) -> None:
        """There is room in the budget, and it has been taken."""
        self._waiting = None
        self._retrying = True
        wait = self._backend.plan.timeouts.response_head
        self._client.deadline = self._proxy.deadlines.now + (wait or NEVER)
        self._send()

    def _end_retry(self) -> None:
        if self._retrying:
            self._retrying = False
            self._backend.retry_budget.ended()

    def _count_retry(self, outcome: str) -> None:
        retries = self._backend.stats.retries
        retries[outcome] = retries.get(outcome, 0) + 1

    def _release(self) -> None:
        """Leave the endpoint of this try, whose connection is of no more use."""
        self._connected = False
        upstream, state = self._upstream, self._state
        if upstream is not None:
            self._upstream = None
            upstream.close()
        if state is not None:
            self._state = None
            state.in_flight -= 1
            self._tried += (state,)

    # -- end before the response is complete

    def _end_badly(self, reason: Reason, details: str) -> None:
        if self._answered:
            self._cut(reason)
        else:
            self._fail(reason, details)

    def _fail(self, reason: Reason, details: str = "") -> None:
        """Answer in the endpoint's place."""
        self._simple = False
        self._count_reason(reason)
        if self._upstream is not None:
            self._upstream.reusable = False
        self._end_retry()
        request = self._request
        persistent = request.keep_alive and self._request_is_read and not self._proxy.draining
        data = answer(
            reason,
            details or reason.details,
            self._writer.request_id,
            head_only=request.method == b"HEAD",
            close=not persistent,
            keep_alive=not request.minor,
        )
        self._bytes_out = len(data)
        self._client.write(data)
        if persistent:
            self._finish(reason.status)
        else:
            self._end(reason.status)
            self._client.close_gently()

    def _cut(self, reason: Reason) -> None:
        """The response cannot be completed: end the connection so that the client sees that."""
        self._count_reason(reason)
        body = self._response_body
        visibly = isinstance(body, LengthBody | EncodedBody) or (isinstance(body, ChunkedBody) and not body.decode)
        if self._upstream is not None:
            self._upstream.reusable = False
        self._end(self._status)
        self._client.cut(visibly)

    def _count_reason(self, reason: Reason) -> None:
        self._reason = reason.error
        reasons = self._backend.stats.reasons
        reasons[reason.error] = reasons.get(reason.error, 0) + 1

    # -- what may happen on the client's side

    def client_half_closed(self) -> bool:
        """The client sends no more; whether it may still be answered."""
        return self._request_is_read

    def abandon(self) -> None:
        """The client's connection is gone."""
        if not self.running:
            return
        self._simple = False
        if self._upstream is not None:
            self._upstream.reusable = False
        if self._waiting:
            self._backend.retry_budget.leave(self)
        self._end_retry()
        self._reason = CLIENT_GONE.error
        self._end(self._status or CLIENT_GONE.status)

    def on_deadline(self) -> None:
        """Whoever had to move did not."""
        if self._waiting:
            self._backend.retry_budget.leave(self)
            self._count_retry("budget")
            self._fail(self._waiting)
        elif self._answered:
            self._cut(RESPONSE_STALLED)
        elif self._request_is_read or self._client.held:
            self._fail(RESPONSE_TIMEOUT)
        else:
            self._fail(BODY_STALLED)
