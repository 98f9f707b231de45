"""Admission: what policies have a request go through before an endpoint is asked.

Its route's filters come first; they may refuse it, change it, send it elsewhere or have it wait.  Then there must be
room for it within the limits of its Backend, or it queues for some.  A request of a route that asks for none of this
never comes here.
"""

from __future__ import annotations

from mesh.backend import EndpointState
from mesh.exchange_state import NEVER
from mesh.filters.chain import Filters, Passed
from mesh.filters.query import Query, Reply, plain_query, target_of
from mesh.filters.size import Measure
from mesh.forwarded import conveyed
from mesh.http1.body import CHUNKED
from mesh.http1.request import PlainRequest, Request
from mesh.outgoing import believed
from mesh.reasons import REQUEST_OVERDUE, Reason
from mesh.relay import Relay
from mesh.table import Route


class Admission(Relay):
    __slots__ = ("_route",)

    _route: Route
    """That of the last request; before that, the listener's."""

    # -- filters

    def _ask_filters(self, filters: Filters, request: Request, lines: bytes) -> Passed | Reply:
        """Their verdict on the request, whose head is sent as `lines`."""
        client, secure = self._asker(request)
        self._query = query = Query(
            request.method, target_of(lines), request.host, request.length, lines, client, self._deadlines.now, secure
        )
        verdict = filters.request(query)
        if isinstance(verdict, Passed):
            if verdict.backend is not None:
                self._backend = verdict.backend
            if verdict.key:
                self._query = query._replace(key=verdict.key)
            self._mirror = None if request.upgrade else verdict.mirror
            if request.length == CHUNKED and filters.most_bytes:
                self._measure = Measure(filters.most_bytes)
        return verdict

    def _asker(self, request: Request) -> tuple[str, bool]:
        """The client's address, as far back as it can be believed, and whether it came by TLS."""
        peer = self._client.peer
        said = request.forwarding if believed(request, self._listener, peer) else {}
        return conveyed(said, peer, self._proxy.trusted_proxies)

    def _ask_swiftly(self, filters: Filters, request: PlainRequest, lines: bytes) -> Passed | Reply:
        """The same, of filters that are swift, and of a plain request, which says nothing of who sent it."""
        peer = self._client.peer
        method, target, _ = lines.split(b" ", 2)
        query = plain_query(
            (method, target, request[0], request[3], lines, peer.address, self._deadlines.now, peer.secure, b"")
        )
        self._backend = self._route.backend
        verdict = filters.request(query)
        if isinstance(verdict, Reply):
            self._query = query
            return verdict
        if verdict.backend is not None:
            self._backend = verdict.backend
        if verdict.key:
            query = query._replace(key=verdict.key)
        if filters.responses or verdict.key:
            self._query = query
        if filters.timeout and self._overdue is None:
            self._overdue = self._proxy.loop.call_later(filters.timeout, self._overrun)
        return verdict

    def _obey(self, filters: Filters, verdict: Passed | Reply) -> None:
        """Do with the request, which is counted now, as the filters say."""
        if isinstance(verdict, Reply):
            self._reply(verdict)
            return
        if filters.timeout and self._overdue is None:
            self._overdue = self._proxy.loop.call_later(filters.timeout, self._overrun)
        if self._request_is_read:
            self._copy()
        if verdict.delay:
            self._client.deadline += verdict.delay
            self._send_after(verdict.delay)
        else:
            self._send()

    def _reply(self, reply: Reply) -> None:
        reason = reply.reason
        details = reply.details or reason.details
        self._reason = reason.error
        if reason.error:
            self._backend.failed(reason, details)
        self._answer(reason, details, reply.fields)

    def _overrun(self) -> None:
        """The whole exchange may have taken too long: the timer may be one that an earlier one left."""
        self._overdue = None
        if not self.running or self._filters is None:
            return
        left = self._started + self._filters.timeout - self._clock()
        if left > 0:
            self._overdue = self._proxy.loop.call_later(left, self._overrun)
        else:
            self._end_badly(REQUEST_OVERDUE)

    # -- pick, within limits

    def _pick(self) -> EndpointState | None:
        """Whose turn it is among those not tried, for this request."""
        backend = self._backend
        key_of = backend.key_of
        if key_of is None:
            return backend.pick(self._tried)
        given = self._query.key if self._query is not None else b""
        return backend.pick_for(given or key_of(self._head, self._client.peer.address), self._tried)

    def _find_no_room(self) -> None:
        """No endpoint can be had now: wait for room if there may be some, else give up."""
        backend = self._backend
        refusal = backend.wait(self)
        if refusal is not None:
            self._end_badly(refusal)
            return
        self._simple = False
        self._queued = True
        if self._until == NEVER:
            assert backend.limits is not None
            self._wait(self._deadlines.now + backend.limits.patience)

    def room_now(self) -> None:
        """There may be room: pick again, or queue again."""
        self._queued = False
        self._client.deadline = self._deadlines.now + self._patience
        self._try_began = self._clock()
        self._send_now()
        if self._queued:
            self._client.deadline = self._until
        else:
            self._until = NEVER

    def turn_away(self, reason: Reason) -> None:
        """There is nothing to wait for any more."""
        self._end_badly(reason)

    def cost(self) -> tuple[str, int]:
        """The client's address, and the bytes that are kept of the request."""
        return self._asker(self._request)[0], len(self._head) + self._bytes_in
