"""What may go wrong with an exchange, on either side, and what is done then.

`Failover` is the half of an Exchange that the common way never enters.  A try that fails before its response
began goes to another endpoint, if that is certain to be harmless (RFC 9110 section 9.2.2); what cannot be
tried again is answered in the endpoint's place; a response that breaks off is cut so that the client sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from config.policies import RetryCondition
from mesh.backend import NO_ANSWER_DUE, NOT_ANSWERED
from mesh.exchange_state import NEVER, ExchangeState
from mesh.http1.answer import answer
from mesh.http1.body import LAST_CHUNK, EncodedBody, EndlessBody, LengthBody
from mesh.http1.chunked import ChunkedBody
from mesh.http1.errors import Malformed
from mesh.outgoing import request_id_of
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
from mesh.retry import IDEMPOTENT, Outcome, decide, pause
from mesh.upload import Upload

RETRY_WAIT: Final = 10.0
"""Seconds that a retry waits for a place in the budget.  When one of two endpoints dies, half of all requests are
to be tried again, a fifth at a time: several times as long as a slow answer takes."""
ANSWERS: Final[Mapping[int, RetryCondition]] = MappingProxyType({500: "500", 502: "502", 503: "503", 504: "504"})
"""Statuses that a policy may have retried."""


class Failover(ExchangeState):
    __slots__ = ()

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
        endpoint = self._upstream.state.endpoint
        finishes = endpoint.terminating and endpoint.serving
        if self._answered or self._upstream.answering or finishes or not self._backend.eligible:
            return
        if self._budget_has_room and self._decide("reset") == "tried":
            self._try_again("reset", CONNECTION_TERMINATED)

    def upstream_lost(self, clean: bool) -> None:
        """The connection to the endpoint has ended; `clean`: the endpoint closed it in an orderly way."""
        upstream = self._upstream
        assert upstream is not None
        if not clean and self._is_uploading() and upstream.hear_out(self):  # type: ignore[arg-type]  # it is an Exchange
            return
        self._upstream = None
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

    def _is_uploading(self) -> bool:
        """Whether the endpoint may have answered early: who refuses a large body is not kept from breaking off.

        What can be tried again is: a connection that was idle may have ended with some last word for nobody.
        """
        return isinstance(self._upload, Upload) and (self._answered or self._decide("reset") != "tried")

    def response_refused(self, fault: Malformed) -> None:
        self._end_badly(fault.reason, fault.details)

    def _retry_answer(self, status: int) -> bool:
        """Whether the policy retries an answer with this status, which then is not shown to the client.

        A client is not made to wait for a better one when too many do already.
        """
        cause = ANSWERS.get(status)
        outcome = self._decide(cause) if cause else None
        if outcome == "tried" and not self._budget_has_room:
            outcome = "budget"
        if cause and outcome == "tried":
            self._try_again(cause, CONNECTION_TERMINATED, status)
        elif outcome is not None:
            self._count_retry(outcome)
        return outcome == "tried"

    # -- try again

    @property
    def _budget_has_room(self) -> bool:
        policy, backend = self._manner.retries, self._backend
        return backend.retry_budget.has_room(backend.stats.in_flight, policy.budget_percent, policy.budget_least)

    def _decide(self, cause: RetryCondition) -> Outcome | None:
        sent = self._connected or self._simple
        kept = self._upload is None or self._upload.kept is not None
        replayable = not self._interim and (not sent or (kept and self._request.method in IDEMPOTENT))
        return decide(self._manner.retries, cause, replayable, self._retries)

    def _try_again(self, cause: RetryCondition, reason: Reason, status: int = NOT_ANSWERED) -> None:
        """A try failed before a response was shown: go to another endpoint, now or when the budget has room.

        `status` is that of the answer, if there was one.
        """
        outcome = self._decide(cause)
        self._leave_endpoint(status)
        self._end_retry()
        if outcome != "tried":
            if outcome is not None:
                self._count_retry(outcome)
            self._end_badly(reason)
            return
        self._retries += 1
        policy, backend = self._manner.retries, self._backend
        if backend.retry_budget.start(self, backend.stats.in_flight, policy.budget_percent, policy.budget_least):
            self.retry_now()
        else:
            self._waiting = reason
            self._wait(self._proxy.deadlines.now + RETRY_WAIT)

    def retry_now(self) -> None:
        """There is room in the budget, and it has been taken."""
        self._waiting = None
        self._until = NEVER
        self._retrying = True
        self._count_retry("tried")
        manner = self._manner
        wait = pause(manner.retries.backoff, self._retries, self._proxy.live.chance())
        self._client.deadline = self._proxy.deadlines.now + wait + (manner.timeouts.response_head or NEVER)
        if wait:
            self._send_after(wait)
        else:
            self._send()

    def _leave_endpoint(self, status: int) -> None:
        sent = self._connected or self._simple
        self._simple = self._connected = False
        upstream, state = self._upstream, self._state
        if upstream is not None:
            self._upstream = None
            upstream.close()
        if state is not None:
            self._state = None
            state.in_flight -= 1
            self._tried += (state,)
            self._tell(state, status if sent else NO_ANSWER_DUE)

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

    def give_up(self, reason: Reason) -> None:
        """This proxy waits no longer."""
        self._end_badly(reason)

    def _answer(self, reason: Reason, details: str, fields: bytes = b"") -> None:
        """Answer in the endpoint's place; `fields` are more field lines."""
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
            fields=fields,
        )
        if self._query is not None:
            head, end, text = data.partition(b"\r\n\r\n")
            data = self._edited(head + end) + text
        self._bytes_out = len(data)
        self._client.write(data)
        self._complete(b"")

    def _edited(self, head: bytes) -> bytes:
        """The head of a response, with its empty line, as filters will have it."""
        assert self._filters is not None
        assert self._query is not None
        return self._filters.response(self._query, head[:-2]) + b"\r\n"

    def _cut_off(self) -> None:
        """The response cannot be completed: end the connection so that the client sees that."""
        body = self._response_body
        visibly = isinstance(body, LengthBody | EncodedBody) or (isinstance(body, ChunkedBody) and not body.decode)
        self._end(self._status)
        self._client.cut(visibly)

    # -- what may happen on the client's side

    def client_half_closed(self) -> bool:
        """The client sends no more; whether it may still be answered."""
        limits = self._backend.limits if self._queued else None
        return self._request_is_read and not (limits is not None and limits.lasting)

    def abandon(self) -> None:
        """The client's connection is gone."""
        if not self.running:
            self._be_in_time()
            return
        self._simple = False
        if self._upstream is not None:
            self._upstream.reusable = False
        self._end_retry()
        self._reason = CLIENT_GONE.error
        self._end(self._status or CLIENT_GONE.status)

    def on_deadline(self) -> None:
        """Whoever had to move did not."""
        if self._timer is not None:  # it is about to be sent: the wheel's clock is a coarse one, its timer's is not
            self._client.deadline = self._proxy.deadlines.now + (self._manner.timeouts.response_head or NEVER)
        elif self._waiting:
            self._count_retry("budget")
            self._end_badly(self._waiting)
        elif self._queued:
            assert self._backend.limits is not None
            self._end_badly(self._backend.limits.overdue)
        elif self._answered:
            self._end_badly(RESPONSE_STALLED)
        elif self._request_is_read or self._client.held:
            self._run_out_of_patience()
        else:
            self._end_badly(BODY_STALLED)

    def _run_out_of_patience(self) -> None:
        """The endpoint did not answer in time."""
        outcome = self._decide("timeout")
        if outcome == "tried":
            self._try_again("timeout", RESPONSE_TIMEOUT)
            return
        if outcome is not None:
            self._count_retry(outcome)
        self._end_badly(RESPONSE_TIMEOUT)
