"""The head that an endpoint is sent: what the client said, and what this hop adds to it."""

from __future__ import annotations

from mesh.forwarded import appended_lines, believed_id, forwarding_lines
from mesh.http1.request import Request
from mesh.peer import Peer
from mesh.proxy import Proxy
from mesh.table import Listener


class HeadWriter:
    """Writes the heads of one client connection.

    What this hop adds is the same from request to request as long as the Host and the plan are: it is kept.
    """

    __slots__ = ("_forwarding", "_host", "_ids", "_ours", "_peer", "_plan", "offered", "request_id")

    def __init__(self, proxy: Proxy, peer: Peer) -> None:
        self._ids = proxy.request_ids
        self._peer = peer
        self._plan: object = None
        self._host = b""
        self._forwarding = b""
        self._ours = b""
        self.request_id = b""
        """Of the last request."""
        self.offered: tuple[bytes, ...] = ()
        """Protocols that the endpoint may switch to, of the last request that was not plain."""

    def write(self, request: Request, listener: Listener) -> bytes:
        plan = listener.route.backend.plan
        if plan is not self._plan or request.host != self._host:
            self._plan, self._host = plan, request.host
            self._forwarding = forwarding_lines(self._peer, request.host, listener.key.port)
            self._ours = self._forwarding + (b"Via: 1.1 weft\r\n" if plan.via else b"") + b"X-Request-Id: "
        if request.plain:
            self.request_id = request_id = next(self._ids)
            return request.lines + self._ours + request_id + b"\r\n\r\n"
        return self._write_carefully(request, listener)

    def _write_carefully(self, request: Request, listener: Listener) -> bytes:
        plan = listener.route.backend.plan
        said, forwarding, request_id = request.forwarding, self._forwarding, b""
        if said and (listener.entry == "ClusterIP" or self._peer.trusted):
            forwarding = appended_lines(said, self._peer, request.host, listener.key.port)
            request_id = believed_id(said)
        self.request_id = request_id or next(self._ids)
        self.offered = tuple([token for token in request.upgrade if token in plan.upgrades])
        upgrade = b"Connection: upgrade\r\nUpgrade: %b\r\n" % b", ".join(self.offered) if self.offered else b""
        via = b"Via: 1.%d weft\r\n" % request.minor if plan.via else b""
        return b"%b%b%b%bX-Request-Id: %b\r\n\r\n" % (request.lines, upgrade, forwarding, via, self.request_id)
