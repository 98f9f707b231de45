"""Handing on: a response's head and body to the client, a request's body to the endpoint, and how it all ends.

`Relay` is the part of an Exchange that copes with every framing, interim responses (RFC 9110 section 15.2) and
protocol switches (section 7.8).
"""

from __future__ import annotations

import time
from typing import Final

from mesh.access_log import AccessRecord
from mesh.backend import NO_ANSWER_DUE, EndpointState
from mesh.exchange_state import NEVER
from mesh.failover import Failover
from mesh.http1.errors import Malformed
from mesh.http1.reframe import reframe
from mesh.http1.response import CarefulResponse, Response
from mesh.mirror import send_copy
from mesh.outgoing import offered_protocols, request_id_of
from mesh.pool import give_back
from mesh.proxy import Proxy
from mesh.reasons import CONTENT_TOO_LARGE, RESPONSE_MALFORMED, UPGRADE_FAILED, Reason
from mesh.roles import Client
from mesh.tunnel import Tunnel
from mesh.upload import Upload
from mesh.upstream import HEAD, IDLE, RELAY

MOST_INTERIM: Final = 32
"""Interim responses before the final one."""


class Relay(Failover):
    __slots__ = ("_clock", "_deadlines", "_idle", "_patience", "_tunnel")

    _idle: float
    """Seconds."""
    _patience: float
    """Seconds in which a response must begin."""

    def __init__(self, proxy: Proxy, client: Client) -> None:
        super().__init__(proxy, client)
        self._clock = proxy.clock
        self._deadlines = proxy.deadlines
        self._tunnel: Tunnel | None = None

    # -- relay the request's body

    def request_data(self, data: bytes) -> None:
        """More of the request's body was read."""
        upload = self._upload
        assert isinstance(upload, Upload)
        pieces = self._take_body(upload, data)
        if pieces is None:
            return
        if self._connected and self._upstream is not None:
            for piece in pieces:
                self._upstream.write(piece)
            upload.sent()
            return
        refusal = self._keep(len(data)) if self._queued else None
        if refusal is not None:
            self._end_badly(refusal)
        elif upload.full and not upload.complete:
            self._client.hold()

    def _keep(self, size: int) -> Reason | None:
        """More is kept of a request that waits."""
        limits = self._backend.limits
        assert limits is not None
        return limits.keep(self, size)  # type: ignore[arg-type]  # who waits there is an Admission

    def _take_body(self, upload: Upload, data: bytes) -> tuple[bytes, ...] | None:
        """What may be sent on of `data`; None: the body is malformed or too long, which has ended the exchange."""
        self._bytes_in += len(data)
        try:
            pieces = upload.take(data)
            exceeded = self._measure is not None and self._measure.exceeded(data)
        except Malformed as fault:
            self._end_badly(fault.reason, fault.details)
            return None
        if exceeded:
            if upload.complete:
                self._client.request_read(upload.rest)
            self._end_badly(CONTENT_TOO_LARGE)
            return None
        if self._timer is None and not self._queued:  # pauses before it is sent are no part of the time it may take
            wait = self._patience if upload.complete and not self._answered else self._idle
            self._client.deadline = min(self._deadlines.now + wait, self._until)
        if upload.complete:
            self._bytes_in -= len(upload.rest)
            self._copy()
            self._client.request_read(upload.rest)
        return pieces

    def _copy(self) -> None:
        """Send the copy that a policy asks for, if all of the request is there."""
        mirror, upload = self._mirror, self._upload
        if mirror is None or (upload is not None and (upload.full or upload.kept is None)):
            return
        self._mirror = None
        message = self._head if upload is None else b"".join([self._head, *(upload.kept or ())])
        send_copy(self._proxy, mirror, message, self._request.method == b"HEAD")

    def hold_request(self) -> None:
        self._client.hold()

    def resume_request(self) -> None:
        self._client.resume()

    # -- respond: hand on the head

    def respond(self, response: Response, data: bytes) -> None:
        """A response was read as far as its head; `data` begins with it."""
        if response.status < 200:
            self._respond_interim(response, data)
        elif response.status < 500 or not self._retry_answer(response.status):
            self._respond_carefully(response, data)

    def _respond_interim(self, response: Response, data: bytes) -> None:
        """RFC 9110 section 15.2: any number of them may come, for a client that knows of them."""
        assert isinstance(response, CarefulResponse)
        assert self._upstream is not None
        self._simple = False
        self._connected = True
        if response.status == 101:
            self._switch(response, data[response.end :])
            return
        self._interim += 1
        if self._interim > MOST_INTERIM:
            self._end_badly(RESPONSE_MALFORMED, "too many interim responses")
            return
        if self._request.minor:
            self._client.write(response.start + b"\r\n")
        if response.end < len(data):
            self._upstream.data_received(data[response.end :])

    def _respond_carefully(self, response: Response, data: bytes) -> None:
        upstream, request, end = self._upstream, self._request, response.end
        assert upstream is not None
        self._simple = False
        self._end_retry()
        if response.timeout:
            upstream.timeout = min(IDLE, response.timeout - 1.0)
        upstream.reusable = upstream.reusable and response.reusable
        upstream.phase = RELAY
        self._answered = True
        self._status = response.status
        persistent = request.keep_alive and self._request_is_read and not self._proxy.draining
        head, body, self._persistent = reframe(
            response, data[:end], request.method == b"HEAD", request.minor, persistent
        )
        if self._query is not None:
            head = self._edited(head)
        self._response_body = body
        self._bytes_out = len(head)
        self._client.deadline = self._deadlines.now + self._idle
        self._client.write(head)
        if body.complete:
            self._complete(data[end:])
        elif end < len(data):
            self.response_data(data[end:])

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
        self._client.deadline = self._deadlines.now + self._idle
        if body.complete:
            self._complete(body.rest)

    def hold_response(self) -> None:
        """The client reads more slowly than the endpoint sends."""
        if self._upstream is not None:
            self._upstream.hold()

    def resume_response(self) -> None:
        if self._upstream is not None:
            self._upstream.resume()

    def endpoint_half_closed(self) -> bool:
        return False

    # -- end: count, give the connection back

    def _complete(self, beyond: bytes) -> None:
        """The response is complete.  Bytes beyond it would be taken for the next one's: who sends them is left."""
        upstream, status, persistent = self._upstream, self._status, self._persistent
        if upstream is not None:
            upstream.phase = HEAD
            if beyond or not self._request_is_read:
                upstream.reusable = False
        self._end(status)
        if persistent:
            self._client.ready(self._deadlines.now + self._idle)
            if self._proxy.draining:  # since the head was sent, which promised another turn
                self._client.drain()
        else:
            self._client.close_gently()

    def _end(self, status: int) -> None:
        upstream, state, stats = self._upstream, self._state, self._backend.stats
        if upstream is not None:
            self._upstream = None
            if upstream.reusable:
                give_back(upstream, self._deadlines.now)
            else:
                upstream.close()
        if state is not None:
            self._state = None
            state.in_flight -= 1
        stats.in_flight -= 1
        stats.bytes_in += len(self._head) + self._bytes_in
        stats.bytes_out += self._bytes_out
        seconds = self._clock() - self._started
        if self._tunnel is None:  # a tunnel was counted when it began
            stats.finished(status, seconds)
        log = self._proxy.access_log or (self._proxy.failure_log if self._reason else None)
        if log is not None:
            log(self._record(state, status, seconds))
        outcome = NO_ANSWER_DUE if self._tunnel is not None else self._outcome(status)
        self.running = False
        if not self._simple:
            self._stop_waiting()
        if state is not None:
            self._tell(state, outcome)
        elif self._backend.limits is not None:
            self._backend.limits.room_made()
        if not self._simple:
            self._tunnel = None
            self._renew()

    def _record(self, state: EndpointState | None, status: int, seconds: float) -> AccessRecord:
        request, key = self._request, self._backend.key
        target = request.lines[len(request.method) + 1 : request.lines.find(b" HTTP/1.1\r\n")]
        return AccessRecord(
            time=time.time() - seconds,
            client=self._client.peer.address,
            listener=str(self._listener.key),
            namespace=key.namespace,
            service=key.service,
            port=key.port,
            method=request.method.decode("ascii"),
            target=target.decode("ascii"),
            status=status,
            reason=self._reason,
            endpoint=state.name if state is not None else "",
            tries=self._retries + 1,
            seconds=seconds,
            bytes_in=len(self._head) + self._bytes_in,
            bytes_out=self._bytes_out,
            request_id=request_id_of(self._head).decode("ascii"),
            host=request.host.decode("ascii", "backslashreplace"),
            minor=request.minor,
        )

    # -- switch protocols

    def _switch(self, response: CarefulResponse, rest: bytes) -> None:
        """The endpoint accepted an Upgrade: hand both connections to a tunnel."""
        upstream, client = self._upstream, self._client
        assert upstream is not None
        offered = offered_protocols(self._request, self._manner)
        if not response.upgrade or not set(response.upgrade) <= set(offered) or not self._request_is_read:
            self._end_badly(UPGRADE_FAILED)
            return
        self._end_retry()
        if self._overdue is not None:
            self._overdue.cancel()
        self._status = 101
        self._backend.stats.finished(101, self._clock() - self._started)
        idle = self._manner.timeouts.tunnel_idle or NEVER
        self._tunnel = tunnel = Tunnel(self._proxy, client, upstream, idle, self._tunnel_ended)
        upstream.tunnel(tunnel)
        early = client.become(tunnel)
        head = b"%bConnection: upgrade\r\nUpgrade: %b\r\n\r\n" % (response.start, b", ".join(response.upgrade))
        client.write(head if self._query is None else self._edited(head))
        client.deadline = self._deadlines.now + idle
        if rest:
            tunnel.response_data(rest)
        if early:
            tunnel.request_data(early)
        if client.ended:
            tunnel.client_half_closed()

    def _tunnel_ended(self) -> None:
        assert self._tunnel is not None
        self._bytes_in += self._tunnel.bytes_in
        self._bytes_out += self._tunnel.bytes_out
        given_up = self._tunnel.given_up
        if given_up is not None:
            self._reason = given_up.error
            self._backend.failed(given_up)
        self._upstream = None
        self._end(101)
