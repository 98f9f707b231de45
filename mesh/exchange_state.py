"""What is known of an exchange: the state that all its parts share, and how it waits.

An exchange waits in one of four ways before an endpoint is asked: for a moment (a delay, the pause before a retry),
for a place in the retry budget, for room within the limits, or not at all.
"""

from __future__ import annotations

from asyncio import TimerHandle
from typing import Final

from mesh.backend import NO_ANSWER_DUE, NOT_ANSWERED, Backend, EndpointState
from mesh.filters.chain import Filters
from mesh.filters.query import Query
from mesh.filters.size import Measure
from mesh.http1.body import Body
from mesh.http1.request import Plain, PlainRequest, Request
from mesh.outgoing import Manners
from mesh.proxy import Proxy
from mesh.reasons import Reason
from mesh.roles import Client
from mesh.table import Listener
from mesh.upload import Upload, Whole
from mesh.upstream import HTTPUpstream

NEVER: Final = float("inf")

_BLAMED: Final = frozenset(
    {
        "connection_terminated", "http_response_timeout", "http_response_incomplete", "http_protocol_error",
        "http_response_header_section_size", "http_response_transfer_coding", "http_upgrade_failed",
    }
)  # fmt: skip
"""Error types that say that the endpoint owed an answer."""


class ExchangeState:
    """`_simple`: of all this, only what every request sets anew was touched; `_laden`: and what `_unload` sets."""

    __slots__ = (
        "_answered", "_backend", "_bytes_in", "_bytes_out", "_client", "_connected", "_filters", "_head", "_interim",
        "_key", "_laden", "_listener", "_manner", "_measure", "_mirror", "_overdue", "_persistent", "_proxy", "_query",
        "_queued", "_reason", "_response_body", "_retries", "_retrying", "_said", "_simple", "_started", "_state",
        "_status", "_timer", "_tried", "_try_began", "_until", "_upload", "_upstream", "_waiting", "running",
    )  # fmt: skip

    _said: Request | Plain
    """The request; of one that came the common way, what it is made of."""
    _backend: Backend
    _listener: Listener
    _manner: Manners
    """How it is carried: what the route says, or the plan of its Backend."""
    _filters: Filters | None
    """Of the route."""
    _head: bytes
    """As it is sent to endpoints."""
    _started: float
    """When the last request came, by the clock of the proxy; 0: none has."""

    def __init__(self, proxy: Proxy, client: Client) -> None:
        self._proxy = proxy
        self._client = client
        self._key = client.key
        self._upstream: HTTPUpstream | None = None
        self._state: EndpointState | None = None
        self.running = False
        self._started = 0.0
        self._renew()

    def _renew(self) -> None:
        """Be as new for the next request."""
        self._simple = True
        self._laden = False
        """It has a body, or filters have had their say."""
        self._connected = False
        """This try has sent bytes, or may have."""
        self._interim = 0
        """Interim responses so far."""
        self._answered = False
        """The final response has begun."""
        self._persistent = False
        """The client's connection goes on after it."""
        self._status = 0
        self._reason = ""
        self._bytes_in = 0
        """Of the body, as they were read."""
        self._bytes_out = 0
        self._upload: Upload | Whole | None = None
        self._response_body: Body | None = None
        self._query: Query | None = None
        """The request as filters saw it; None: there are none."""
        self._measure: Measure | None = None
        """Counts a body of unknown length, if there is a limit."""
        self._mirror: Backend | None = None
        """Where a copy is yet to be sent."""
        self._tried: tuple[EndpointState, ...] = ()
        self._retries = 0
        self._try_began = 0.0
        """By the clock of the proxy, for tries after the first and for those that had to wait."""
        self._retrying = False
        """This try has a place in the retry budget."""
        self._waiting: Reason | None = None
        """Why the last try failed, while the next one waits for a place in the budget."""
        self._queued = False
        """It waits for room within the limits."""
        self._until = NEVER
        """When it will have waited for long enough, in either queue."""
        self._timer: TimerHandle | None = None
        """Sends it in a moment."""
        self._overdue: TimerHandle | None = None
        """Ends it when it has taken too long in all; while requests are simple it is left to the next one."""

    @property
    def _request(self) -> Request:
        said = self._said
        return PlainRequest(*said) if isinstance(said, tuple) else said

    @property
    def fresh(self) -> bool:
        """No request has come yet."""
        return not self._started

    @property
    def _request_is_read(self) -> bool:
        return self._upload is None or self._upload.complete

    # -- the other parts

    def _send(self) -> None:
        """Pick an endpoint and send the request."""
        raise AssertionError

    def _end(self, status: int) -> None:
        """Let go of the endpoint and count."""
        raise AssertionError

    def _complete(self, beyond: bytes) -> None:
        """The response is complete; `beyond` came after it."""
        raise AssertionError

    # -- wait

    def _send_after(self, seconds: float) -> None:
        # The coarse timer is too coarse for some tens of milliseconds; few requests have to wait for a moment.
        self._timer = self._proxy.loop.call_later(seconds, self._send_now)

    def _send_now(self) -> None:
        self._timer = None
        self._send()
        if self._connected:
            self._client.resume()

    def _wait(self, until: float) -> None:
        """Wait in a queue until then, in the time of `deadlines`."""
        self._until = min(self._until, until)
        self._client.deadline = self._until

    def _be_in_time(self) -> None:
        """What was begun is not measured any longer."""
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _stop_waiting(self) -> None:
        self._be_in_time()
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting:
            self._backend.retry_budget.leave(self)  # type: ignore[arg-type]  # who waits there is a Failover
        if self._queued and self._backend.limits is not None:
            self._backend.limits.leave(self)  # type: ignore[arg-type]  # who waits there is an Admission

    # -- tell

    def _tell(self, state: EndpointState, status: int) -> None:
        """A try at `state` is over, and counted no longer."""
        self._backend.left(state, self._proxy.clock() - (self._try_began or self._started), status)

    def _outcome(self, status: int) -> int:
        """What an exchange that ends with `status` says of its endpoint."""
        if self._reason:
            blamed = self._reason in _BLAMED and not self._proxy.draining  # then it may have been ours to end it
            return NOT_ANSWERED if blamed else NO_ANSWER_DUE
        return status if status != 101 else NO_ANSWER_DUE
