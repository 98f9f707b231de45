"""The head that an endpoint is sent: what the client said, and what this hop adds to it."""

from __future__ import annotations

from typing import Protocol

from config.policies import RetryPolicy, TimeoutPolicy
from mesh.forwarded import appended_lines, around_host, believed_id, forwarding_lines
from mesh.http1.request import Request
from mesh.peer import Peer
from mesh.table import Listener

REQUEST_ID = b"X-Request-Id: "
"""Always the last line, so that the id is found again where it is wanted."""
END = b"\r\n\r\n"
_COLON, _BRACKET = b":]"


class Manners(Protocol):
    """How requests are carried, as a BackendPlan or a route says it."""

    @property
    def timeouts(self) -> TimeoutPolicy: ...
    @property
    def retries(self) -> RetryPolicy: ...
    @property
    def upgrades(self) -> frozenset[bytes]: ...
    @property
    def via(self) -> bool: ...


def own_lines(peer: Peer, port: int, manner: Manners) -> tuple[bytes, bytes]:
    """What is added to a plain request before its host is named, and after; only the id and `END` are to follow."""
    before, after = around_host(peer, port)
    return before, after + (b"Via: 1.1 weft\r\n" if manner.via else b"") + REQUEST_ID


def offered_protocols(request: Request, manner: Manners) -> tuple[bytes, ...]:
    """The protocols that the client offers to switch to and the endpoint may accept."""
    return tuple([token for token in request.upgrade if token in manner.upgrades])


def without_port(host: bytes) -> bytes:
    """The name or address of a Host."""
    if _COLON not in host:
        return host
    name, _, port = host.rpartition(b":")
    return host if _BRACKET in port else name


def outgoing_head(request: Request, manner: Manners, listener: Listener, peer: Peer, new_id: bytes) -> bytes:
    """The whole head of any request; `new_id` is for one that has none that can be believed."""
    return outgoing_lines(request, manner, listener, peer) + last_line(request, listener, peer, new_id)


def outgoing_lines(request: Request, manner: Manners, listener: Listener, peer: Peer) -> bytes:
    """All of that but the last line, each ended by CRLF."""
    if believed(request, listener, peer):
        forwarding = appended_lines(request.forwarding, peer, request.host, listener.key.port)
    else:
        forwarding = forwarding_lines(peer, request.host, listener.key.port)
    offered = offered_protocols(request, manner)
    upgrade = b"Connection: upgrade\r\nUpgrade: %b\r\n" % b", ".join(offered) if offered else b""
    via = b"Via: 1.%d weft\r\n" % request.minor if manner.via else b""
    return b"".join((request.lines, upgrade, forwarding, via))


def last_line(request: Request, listener: Listener, peer: Peer, new_id: bytes) -> bytes:
    """The line of the id, and the end of the head."""
    said = believed_id(request.forwarding) if believed(request, listener, peer) else b""
    return REQUEST_ID + (said or new_id) + END


def believed(request: Request, listener: Listener, peer: Peer) -> bool:
    """Whether there is something that the client says of who sent the request, and it is believed."""
    return bool(request.forwarding) and (listener.entry == "ClusterIP" or peer.trusted)


def request_id_of(head: bytes) -> bytes:
    """The id in a head that was written here."""
    return head[head.rfind(REQUEST_ID) + len(REQUEST_ID) : -len(END)]
