"""What may go wrong with an exchange, on either side, and what is done then.

`Failover` is the half of an Exchange that the common way never enters.  A try that fails before its response
began goes to another endpoint, if that is certain to be harmless (RFC 9110 section 9.2.2); what cannot be
tried again is answered in the endpoint's place; a response that breaks off is cut so that the client sees it.
"""

from __future__ import annotations

from typing import Final

from config.policies import RetryCondition
from mesh.backend import Backend, EndpointState
from mesh.http1.answer import answer
from mesh.http1.body import LAST_CHUNK, Body, EncodedBody, EndlessBody, LengthBody
from mesh.http1.chunked import ChunkedBody
from mesh.http1.errors import Malformed
from mesh.http1.request import Request
from mesh.outgoing import request_id_of
from mesh.proxy import Proxy
from mesh.reasons import (
    BODY_STALLED,
    CLIENT_GONE,
    CONNECTION_REFUSED,
    CONNECTION_TERMINATED,
    CONNECTION_TIMEOUT,
    OUT_OF_RESOURCES,
    RESPONSE_INCOMPLETE,
    RESPONSE_STALLED,
    RESPONSE_TIMEOUT,
    UNREACHABLE,
    Reason,
)
from mesh.retry import IDEMPOTENT, Outcome, decide
from mesh.roles import Client
from mesh.table import Listener
from mesh.upload import Upload
from mesh.upstream import HTTPUpstream

NEVER: Final = float("inf")
RETRY_WAIT: Final = 10.0
"""Seconds that a retry waits for a place in the budget.  When one of two endpoints dies, half of all requests are
to be tried again, a fifth at a time: several times as long as a slow answer takes."""


class Failover:
    """State that both halves share.  `_simple`: of it, only what every request sets anew was touched."""

    __slots__ = (
        "_answered", "_backend", "_bytes_in", "_bytes_out", "_client", "_connected", "_head", "_interim", "_key",
        "_listener", "_persistent", "_proxy", "_reason", "_request", "_response_body", "_retries", "_retrying",
        "_simple", "_started", "_state", "_status", "_tried", "_upload", "_upstream", "_waiting", "running",
    )  # fmt: skip

    _request: Request
    _backend: Backend
    _listener: Listener
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
        self._upload: Upload | None = None
        self._response_body: Body | None = None
        self._tried: tuple[EndpointState, ...] = ()
        self._retries = 0
        self._retrying = False
        """This try has a place in the retry budget."""
        self._waiting: Reason | None = None
        """Why the last try failed, while the next one waits for a place in the budget."""

    @property
    def fresh(self) -> bool:
        """No request has come yet."""
        return not self._started

    # -- the other half

    def _send(self) -> None:
        """Pick an endpoint and send the request."""
        raise AssertionError

    def _end(self, status: int) -> None:
        """Let go of the endpoint and count."""
        raise AssertionError

    def _complete(self, beyond: bytes) -> None:
        """The response is complete; `beyond` came after it."""
        raise AssertionError

    @property
    def _request_is_read(self) -> bool:
        return self._upload is None or self._upload.complete

    # -- what may fail on the endpoint's side

    def connect_failed(self, refused: bool, ours: bool, reason: Reason = UNREACHABLE) -> None:
        self._upstream = None
        if ours:  # so another endpoint would fare no better
            self._end_badly(OUT_OF_RESOURCES)
            return
        self._blame_endpoint()
        if refused:
            self._try_again("refused", CONNECTION_REFUSED)
        else:
            self._try_again("connect-failure", reason)

    def connect_timed_out(self) -> None:
        self._upstream = None
        self._blame_endpoint()
        self._try_again("connect-failure", CONNECTION_TIMEOUT)

    def _blame_endpoint(self) -> None:
        assert self._state is not None
        self._backend.connect_failed(self._state)

    def endpoint_withdrawn(self) -> None:
        """Move to another endpoint if that is certain to be harmless; else this one may yet answer."""
        assert self._upstream is not None
        if self._answered or self._upstream.answering or not self._backend.eligible:
            return
        if self._budget_has_room and self._decide("reset") == "tried":
            self._try_again("reset", CONNECTION_TERMINATED)

    def upstream_lost(self, clean: bool) -> None:
        """The connection to the endpoint has ended; `clean`: the endpoint closed it in an orderly way."""
        upstream, self._upstream = self._upstream, None
        assert upstream is not None
        if not self._answered:
            if upstream.answering:
                self._end_badly(RESPONSE_INCOMPLETE)
            else:
                self._try_again("reset", CONNECTION_TERMINATED)
        elif clean and isinstance(self._response_body, EncodedBody | EndlessBody):
            if isinstance(self._response_body, EncodedBody):
                self._client.write(LAST_CHUNK)
            self._complete(b"")
        else:
            self._end_badly(RESPONSE_INCOMPLETE)

    def response_refused(self, fault: Malformed) -> None:
        self._end_badly(fault.reason, fault.details)

    def _retry_503(self) -> bool:
        """Whether the policy retries a 503, which then is not shown to the client.

        It is an answer: a client is not made to wait for a better one when too many do already.
        """
        outcome = self._decide("503")
        if outcome == "tried" and not self._budget_has_room:
            outcome = "budget"
        if outcome == "tried":
            self._try_again("503", CONNECTION_TERMINATED)
        elif outcome is not None:
            self._count_retry(outcome)
        return outcome == "tried"

    # -- try again

    @property
    def _budget_has_room(self) -> bool:
        percent = self._backend.plan.retries.budget_percent
        return self._backend.retry_budget.has_room(self._backend.stats.in_flight, percent)

    def _decide(self, cause: RetryCondition) -> Outcome | None:
        sent = self._connected or self._simple
        kept = self._upload is None or self._upload.kept is not None
        replayable = not self._interim and (not sent or (kept and self._request.method in IDEMPOTENT))
        return decide(self._backend.plan.retries, cause, replayable, self._retries)

    def _try_again(self, cause: RetryCondition, reason: Reason) -> None:
        """A try failed before a response began: go to another endpoint, now or when the budget has room."""
        outcome = self._decide(cause)
        self._simple = False
        self._leave_endpoint()
        self._end_retry()
        if outcome != "tried":
            if outcome is not None:
                self._count_retry(outcome)
            self._end_badly(reason)
            return
        self._retries += 1
        percent = self._backend.plan.retries.budget_percent
        if self._backend.retry_budget.start(self, self._backend.stats.in_flight, percent):
            self.retry_now()
        else:
            self._waiting = reason
            self._client.deadline = self._proxy.deadlines.now + RETRY_WAIT

    def retry_now(self) -> None:
        """There is room in the budget, and it has been taken."""
        self._waiting = None
        self._retrying = True
        self._count_retry("tried")
        wait = self._backend.plan.timeouts.response_head
        self._client.deadline = self._proxy.deadlines.now + (wait or NEVER)
        self._send()

    def _leave_endpoint(self) -> None:
        self._connected = False
        upstream, state = self._upstream, self._state
        if upstream is not None:
            self._upstream = None
            upstream.close()
        if state is not None:
            self._state = None
            state.in_flight -= 1
            self._tried += (state,)

    def _end_retry(self) -> None:
        """Give the place in the budget to the next: this try has a response, or has failed."""
        if self._retrying:
            self._retrying = False
            self._backend.retry_budget.ended()

    def _count_retry(self, outcome: Outcome) -> None:
        retries = self._backend.stats.retries
        retries[outcome] = retries.get(outcome, 0) + 1

    # -- end without the endpoint's whole response

    def _end_badly(self, reason: Reason, details: str = "") -> None:
        self._end_retry()
        if self._upstream is not None:
            self._upstream.reusable = False
        self._simple = False
        self._reason = reason.error
        self._backend.failed(reason, details)
        if self._answered:
            self._cut_off()
        else:
            self._answer(reason, details or reason.details)

    def _answer(self, reason: Reason, details: str) -> None:
        """Answer in the endpoint's place."""
        request = self._request
        self._persistent = request.keep_alive and self._request_is_read and not self._proxy.draining
        self._status = reason.status
        data = answer(
            reason,
            details,
            request_id_of(self._head),
            head_only=request.method == b"HEAD",
            close=not self._persistent,
            keep_alive=not request.minor,
        )
        self._bytes_out = len(data)
        self._client.write(data)
        self._complete(b"")

    def _cut_off(self) -> None:
        """The response cannot be completed: end the connection so that the client sees that."""
        body = self._response_body
        visibly = isinstance(body, LengthBody | EncodedBody) or (isinstance(body, ChunkedBody) and not body.decode)
        self._end(self._status)
        self._client.cut(visibly)

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
            self._end_badly(self._waiting)
        elif self._answered:
            self._end_badly(RESPONSE_STALLED)
        elif self._request_is_read or self._client.held:
            self._end_badly(RESPONSE_TIMEOUT)
        else:
            self._end_badly(BODY_STALLED)
