"""The two faces of the connections that an exchange joins, each as the other floor of the path sees it."""

from __future__ import annotations

from typing import Protocol

from mesh.http1.errors import Malformed
from mesh.http1.response import PlainResponse, Response
from mesh.peer import Peer
from mesh.reasons import UNREACHABLE, Reason
from mesh.table import ListenerKey


class Client(Protocol):
    """The downstream connection, as its exchange or tunnel sees it."""

    deadline: float
    key: ListenerKey
    peer: Peer
    held: bool
    """Not read from, because the endpoint is slower."""
    ended: bool
    """It sends no more."""

    def write(self, data: bytes) -> object:
        """Bound to the transport's own method."""

    def write_eof(self) -> None: ...
    def hold(self) -> None: ...
    def resume(self) -> None: ...
    def request_read(self, rest: bytes) -> None:
        """The request's body is complete; `rest` came after it."""

    def ready(self, deadline: float) -> None:
        """The exchange is over: the next request may come, until `deadline`."""

    def drain(self) -> None:
        """Close unless another request has come."""

    def close_gently(self) -> None:
        """Send what was written, and let the client read it before the connection ends."""

    def cut(self, visibly: bool) -> None:
        """End the connection in the midst of a response; `visibly`: the framing shows that it is not whole."""

    def become(self, tunnel: Duplex) -> bytes:
        """Hand everything to `tunnel` from now on; returns what was already read for it."""


class Carried(Protocol):
    """Exchange or tunnel, as the connection to the endpoint sees it."""

    def response_data(self, data: bytes) -> None: ...
    def endpoint_half_closed(self) -> bool: ...
    def endpoint_withdrawn(self) -> None: ...
    def upstream_lost(self, clean: bool) -> None: ...
    def hold_request(self) -> None: ...
    def resume_request(self) -> None: ...


class Duplex(Protocol):
    """Exchange or tunnel, as the connection to the client sees it."""

    def request_data(self, data: bytes) -> None: ...
    def client_half_closed(self) -> bool: ...
    def hold_response(self) -> None: ...
    def resume_response(self) -> None: ...
    def abandon(self) -> None: ...
    def on_deadline(self) -> None: ...
    def give_up(self, reason: Reason) -> None:
        """End it: this proxy waits no longer."""


class Responding(Carried, Protocol):
    """The exchange, before a response has begun."""

    def connected(self) -> None: ...
    def connect_failed(self, refused: bool, ours: bool, reason: Reason = UNREACHABLE) -> None:
        """`ours`: it was this process that could not, for want of descriptors or the like."""

    def connect_timed_out(self) -> None: ...
    def respond_plainly(self, response: PlainResponse, data: bytes) -> None: ...
    def respond(self, response: Response, data: bytes) -> None: ...
    def response_refused(self, fault: Malformed) -> None: ...
