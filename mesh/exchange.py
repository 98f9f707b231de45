"""An exchange: one request, and its response, between a client and whichever endpoint it takes.

The phases in reading order: *begin* (count, make the head), *send* (pick an endpoint, take a connection),
*respond* (hand on the head), *relay* (hand on bodies), *end* (count, give the connection back).  Here is the
common way; `mesh.admission` sees to what policies ask for before a request is sent, `mesh.relay` copes with
everything that may be said, and `mesh.failover` with what may go wrong.
A client's connection reuses one Exchange for all of its requests.
"""

from __future__ import annotations

from collections.abc import Mapping

from mesh.access_log import About
from mesh.admission import Admission
from mesh.backend import EndpointState
from mesh.exchange_state import NEVER
from mesh.filters.chain import Passed
from mesh.filters.query import Reply
from mesh.http1.request import Plain, PlainRequest, Request
from mesh.http1.response import PlainResponse
from mesh.matcher import HostRules, Matcher
from mesh.outgoing import REQUEST_ID, last_line, outgoing_lines, own_lines, without_port
from mesh.pool import take
from mesh.proxy import Proxy
from mesh.proxy_protocol import header
from mesh.reasons import NOT_ROUTED
from mesh.roles import Client
from mesh.table import Listener, ListenerKey, Route
from mesh.unmatched import looked_for
from mesh.upload import Upload, Whole
from mesh.upstream import HTTPUpstream


class Exchange(Admission):
    """The common way, `begin` and `respond_plainly`, is written flat: on some machines each step of the
    interpreter costs as much as a short function of C."""

    __slots__ = (
        "_about", "_after", "_before", "_careful", "_ends", "_host", "_listeners", "_matcher", "_name", "_ours",
        "_paths",
    )  # fmt: skip

    _ours: bytes
    """What is added to the head of a plain request to `_host`, but for the id."""
    _before: bytes
    """Of that, what comes before `_host`."""
    _after: bytes
    """And what comes after it."""
    _name: bytes
    """`_host` without its port."""
    _matcher: Matcher[Route] | None
    """Of an Ingress listener."""
    _paths: HostRules[Route] | None
    """What it says of `_host`."""
    _about: About | None
    """Of plain requests to `_host` on this route; made when somebody first wants to know."""
    _careful: bool
    """The route asks for more than a plain request goes through."""

    def __init__(self, proxy: Proxy, client: Client) -> None:
        super().__init__(proxy, client)
        self._ends = proxy.head_ends
        self._host = b""
        self._listeners: Mapping[ListenerKey, Listener] | None = None
        """Of the last table: of the rest a connection that waits must not keep what others need no more."""

    # -- begin: count, make the head, pick an endpoint, take a connection

    def begin(self, request: Plain, data: bytes) -> bool:
        """Start on a plain request, which is all of `data`; False: this address serves nothing any more."""
        if self._proxy.table.listeners is not self._listeners and not self._adopt_listeners():
            return False
        host, lines, end, length = request
        if host != self._host:
            self._adopt_host(host)
        if self._paths is not None:
            self._find_route(self._paths, lines)
        self._said = request
        if length or self._careful:
            head = self._lade(PlainRequest(*request), data[end:])
            if not head:
                return True
        else:
            self._head = head = lines + self._ours + next(self._ends)
        self._started = self._clock()
        now = self._deadlines.now
        self._client.deadline = now + self._patience
        backend = self._backend
        backend.stats.in_flight += 1
        self.running = True
        state = backend.pick() if backend.key_of is None else self._pick()
        if state is None:
            self._find_none()
            return True
        self._state = state
        state.in_flight += 1
        state.requests += 1
        idle = state.idle
        if idle and idle[-1].deadline > now:
            self._upstream = upstream = idle.pop()
            upstream.exchange = self
            upstream.write(head)
        else:
            self._send_to(state)
        return True

    def _lade(self, request: PlainRequest, body: bytes) -> bytes:
        """All that is sent of a plain request that has a body, or that filters are to see; empty: nothing yet."""
        lines = request.lines + self._ours
        if self._careful:
            filters = self._filters
            if filters is None or not filters.swift:
                self.begin_carefully(request, body)
                return b""
            verdict = self._ask_swiftly(filters, request, lines[: -len(REQUEST_ID)])
            if isinstance(verdict, Reply):
                self._refuse(lines, body, verdict)
                return b""
            lines = verdict.lines + REQUEST_ID
        self._laden = True
        self._head = head = lines + next(self._ends)
        if not body:
            return head
        self._upload = Whole(body)
        self._bytes_in = len(body)
        return head + body

    def _refuse(self, lines: bytes, body: bytes, reply: Reply) -> None:
        """Answer what filters did not let pass."""
        self._simple = False
        self._head = lines + next(self._ends)
        self._bytes_in = len(body)
        self._start()
        self._reply(reply)

    def begin_carefully(self, request: Request, rest: bytes) -> bool:
        """Start on any request; `rest` is what was read of its body along with the head."""
        if self._proxy.table.listeners is not self._listeners and not self._adopt_listeners():
            return False
        self._simple = False
        self._said = request
        if self._matcher is not None:
            self._adopt_host(request.host)
        if self._paths is not None:
            self._find_route(self._paths, request.lines)
        self._backend = self._route.backend
        lines = outgoing_lines(request, self._manner, self._listener, self._client.peer)
        filters, verdict = self._filters, None
        if filters is not None:
            verdict = self._ask_filters(filters, request, lines)
            if isinstance(verdict, Passed):
                lines = verdict.lines
        self._head = lines + last_line(request, self._listener, self._client.peer, next(self._proxy.request_ids))
        self._start()
        if request.length and request.plain:
            self._upload = Whole(rest)
            self._bytes_in = len(rest)
        elif request.length:
            self._upload = Upload(request.length)
            if rest and self._take_body(self._upload, rest) is None:
                return True
        if filters is None or verdict is None:
            self._send()
        else:
            self._obey(filters, verdict)
        return True

    def _start(self) -> None:
        self._started = self._clock()
        self._client.deadline = self._deadlines.now + self._patience
        self._backend.stats.in_flight += 1
        self.running = True

    def _adopt_listeners(self) -> bool:
        """Find out what a new table says of this address: all that stays the same until listeners change again."""
        listeners = self._proxy.table.listeners
        listener = listeners.get(self._key)
        if listener is None:
            return False
        self._listeners = listeners
        self._listener = listener
        self._matcher = listener.routes
        self._paths = None
        self._adopt_route(listener.route)
        self._adopt_via()
        self._host = b""
        return True

    def let_go(self) -> None:
        """There is another table: while there is no request, what came of the last one is not held on to."""
        if self._listeners is not None and not self.running:
            self._listeners = None
            del self._listener, self._matcher, self._paths

    def _adopt_route(self, route: Route) -> None:
        self._about = None
        self._be_in_time()
        self._route = route
        self._backend = backend = route.backend
        self._filters = route.filters
        self._manner = route.manner or backend.plan
        self._careful = route.filters is not None or backend.plan.send_proxy is not None
        timeouts = self._manner.timeouts
        self._idle = timeouts.idle or NEVER
        self._patience = timeouts.response_head or NEVER

    def _adopt_host(self, host: bytes) -> None:
        self._about = None
        self._host = host
        self._name = without_port(host)
        self._ours = self._before + host + self._after
        matcher = self._matcher
        if matcher is not None:
            self._paths = matcher.hosts.get(self._name) or matcher.host_rules(self._name)

    def _adopt_via(self) -> None:
        self._before, self._after = own_lines(self._client.peer, self._listener.key.port, self._manner)

    def _find_route(self, paths: HostRules[Route], lines: bytes) -> None:
        """Go where the rules say; `lines` begin with the request line."""
        route = paths.outcome if paths.pathless else paths.match(lines.split(b" ", 2)[1])
        route = route or self._listener.route
        if route is not self._route:
            via = self._manner.via
            self._adopt_route(route)
            if self._manner.via != via:
                self._adopt_via()
                self._adopt_host(self._host)

    def _find_none(self) -> None:
        """There is no endpoint; of what meets no rule, there cannot be any."""
        if self._backend is self._listener.route.backend and self._matcher is not None:
            target = self._request.lines.split(b" ", 2)[1]
            self._end_badly(NOT_ROUTED, looked_for(self._name, target))
        else:
            self._find_no_room()

    # -- send: any request, any try

    def _send(self) -> None:
        if self._retries:
            self._try_began = self._clock()
        state = self._pick()
        if state is None:
            self._find_none()
            return
        self._state = state
        state.in_flight += 1
        state.requests += 1
        self._send_to(state)

    def _send_to(self, state: EndpointState) -> None:
        self._simple = False
        # A retry takes no old connection: when an endpoint dies, all of those to it die.
        alone = self._retries or self._backend.plan.send_proxy is not None
        upstream = None if alone else take(state, self._deadlines.now)
        if upstream is None:
            self._upstream = upstream = HTTPUpstream(self._proxy, state, self)
            upstream.open(self._backend.plan.timeouts.connect, self._backend.plan.tls)
        else:
            self._upstream = upstream
            upstream.exchange = self
            self._transmit(upstream)

    def connected(self) -> None:
        """The connection that `_send` opened is there."""
        assert self._state is not None
        assert self._upstream is not None
        self._backend.connect_succeeded(self._state)
        version = self._backend.plan.send_proxy
        if version is not None:
            peer, key = self._client.peer, self._listener.key
            self._upstream.write(header(version, (peer.address, peer.port), (key.address, key.port)))
            self._upstream.reusable = False
        self._transmit(self._upstream)
        self._client.resume()

    def _transmit(self, upstream: HTTPUpstream) -> None:
        """Send all that there is so far."""
        self._connected = True
        if self._upload is None:
            upstream.write(self._head)
        else:
            assert self._upload.kept is not None
            upstream.write(b"".join([self._head, *self._upload.kept]))
            self._upload.sent()

    # -- respond: hand on the head

    def respond_plainly(self, response: PlainResponse, data: bytes) -> None:
        """A plain response was read as far as its head; `data` begins with it."""
        status, length, end, shown, _ = response
        upstream, state, proxy = self._upstream, self._state, self._proxy
        assert upstream is not None
        assert state is not None
        if not self._simple or length != len(data) - end or status >= 500 or proxy.draining:
            self.respond(response, data)
            return
        if self._laden and self._query is not None:
            data, shown = self._edited(response.lines(data[:end]) + b"\r\n") + data[end:], b""
        # All of it in one read, nothing to change but one line at most: the way of most responses.
        client = self._client
        client.write(shown + data[end:] if shown else data)
        if upstream.held or not upstream.reusable:
            self._simple = False
            self._bytes_out = len(data)
            self._end(status)
            client.ready(self._deadlines.now + self._idle)
            return
        # `_end`, without what cannot be.
        stats, now = self._backend.stats, self._deadlines.now
        self._upstream = self._state = None
        self.running = False
        upstream.exchange = None
        upstream.deadline = now + upstream.timeout
        state.idle.append(upstream)
        state.in_flight -= 1
        stats.in_flight -= 1
        size = len(self._head) + self._bytes_in
        stats.bytes_in += size
        stats.bytes_out += len(data)
        seconds = self._clock() - self._started
        stats.finished(status, seconds)
        log = proxy.access_log
        if log is not None and self._careful:
            self._bytes_out = len(data)
            log(self._record(state, status, seconds))
        elif log is not None:
            about = self._about or self._tell_about()
            log((self._started, seconds, self._head, size, status, len(data), state, about))
        if self._laden:
            self._unload()
        answered = self._backend.answered
        if answered is None:
            state.good_answers += 1
        else:
            answered(state, seconds, status)
        client.ready(now + self._idle)

    def _unload(self) -> None:
        self._laden = False
        self._bytes_in = self._bytes_out = 0
        self._upload = self._query = None

    def _tell_about(self) -> About:
        self._about = about = About(self._client.peer.address, str(self._listener.key), self._backend.key, self._host)
        return about
