"""A tunnel: what an accepted Upgrade turns an exchange into (RFC 9110 section 7.8).

It takes the exchange's place at both connections, and hands on bytes both ways until both have ended.
"""

from __future__ import annotations

from collections.abc import Callable

from mesh.farewell import Farewell
from mesh.proxy import Proxy
from mesh.reasons import Reason
from mesh.roles import Client
from mesh.upstream import HTTPUpstream


class Tunnel:
    __slots__ = (
        "_client", "_deadlines", "_ended", "_farewell", "_idle", "_one_way", "_over", "_upstream", "bytes_in",
        "bytes_out", "given_up",
    )  # fmt: skip

    def __init__(
        self, proxy: Proxy, client: Client, upstream: HTTPUpstream, idle: float, ended: Callable[[], None]
    ) -> None:
        """`idle` is in seconds; `ended` is called once, when both sides are closed."""
        self._deadlines = proxy.deadlines
        self._farewell = proxy.farewell
        self._client = client
        self._upstream = upstream
        self._idle = idle
        self._ended = ended
        self._one_way = False
        """One side has ended."""
        self._over = False
        self.given_up: Reason | None = None
        """Why this proxy ended it; None: it did not, or nothing moved."""
        self.bytes_in = 0
        self.bytes_out = 0

    def request_data(self, data: bytes) -> None:
        self.bytes_in += len(data)
        self._upstream.write(data)
        self._client.deadline = self._deadlines.now + self._idle

    def response_data(self, data: bytes) -> None:
        self.bytes_out += len(data)
        self._client.write(data)
        self._client.deadline = self._deadlines.now + self._idle

    def client_half_closed(self) -> bool:
        """The client sends no more; whether it is still to be sent to."""
        if not self._one_way:
            self._one_way = True
            self._upstream.write_eof()
            return True
        return False

    def endpoint_half_closed(self) -> bool:
        """The endpoint sends no more; whether it is still to be sent to."""
        if not self._one_way:
            self._one_way = True
            self._client.write_eof()
            return True
        return False

    def hold_request(self) -> None:
        self._client.hold()

    def resume_request(self) -> None:
        self._client.resume()

    def hold_response(self) -> None:
        self._upstream.hold()

    def resume_response(self) -> None:
        self._upstream.resume()

    def endpoint_withdrawn(self) -> None:
        """A tunnel stays, as only its ends know when it may be closed; if the endpoint terminates, for a while."""
        if self._upstream.state.endpoint.terminating:
            self._deadlines.watch(Farewell(self._deadlines.now + self._farewell, self._be_over))

    def _be_over(self) -> None:
        if not self._over:
            self.on_deadline()

    def upstream_lost(self, clean: bool) -> None:
        self._end()
        self._client.cut(visibly=clean)

    def abandon(self) -> None:
        """The client's connection is gone."""
        if not self._over:
            self._end()
            self._upstream.close_after_flush()

    def on_deadline(self) -> None:
        """Nothing moved for long, or the endpoint is to go."""
        self._end()
        self._upstream.close()
        self._client.cut(visibly=True)

    def give_up(self, reason: Reason) -> None:
        self.given_up = reason
        self.on_deadline()

    def _end(self) -> None:
        self._over = True
        self._ended()
