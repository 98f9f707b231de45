"""The head that an endpoint is sent: what the client said, and what this hop adds to it."""

from __future__ import annotations

from mesh.forwarded import appended_lines, believed_id, forwarding_lines
from mesh.http1.request import Request
from mesh.peer import Peer
from mesh.plan import BackendPlan
from mesh.table import Listener

REQUEST_ID = b"X-Request-Id: "
"""Always the last line, so that the id is found again where it is wanted."""
END = b"\r\n\r\n"


def own_lines(peer: Peer, host: bytes, port: int, plan: BackendPlan) -> bytes:
    """What is added to a plain request; only the id and `END` are to follow."""
    return forwarding_lines(peer, host, port) + (b"Via: 1.1 weft\r\n" if plan.via else b"") + REQUEST_ID


def offered_protocols(request: Request, plan: BackendPlan) -> tuple[bytes, ...]:
    """The protocols that the client offers to switch to and the endpoint may accept."""
    return tuple([token for token in request.upgrade if token in plan.upgrades])


def without_port(host: bytes) -> bytes:
    """The name or address of a Host."""
    name, colon, port = host.rpartition(b":")
    return name if colon and b"]" not in port else host


def outgoing_head(request: Request, plan: BackendPlan, listener: Listener, peer: Peer, new_id: bytes) -> bytes:
    """The whole head of any request; `new_id` is for one that has none that can be believed."""
    said, request_id = request.forwarding, b""
    if said and (listener.entry == "ClusterIP" or peer.trusted):
        forwarding = appended_lines(said, peer, request.host, listener.key.port)
        request_id = believed_id(said)
    else:
        forwarding = forwarding_lines(peer, request.host, listener.key.port)
    offered = offered_protocols(request, plan)
    upgrade = b"Connection: upgrade\r\nUpgrade: %b\r\n" % b", ".join(offered) if offered else b""
    via = b"Via: 1.%d weft\r\n" % request.minor if plan.via else b""
    return b"".join((request.lines, upgrade, forwarding, via, REQUEST_ID, request_id or new_id, END))


def request_id_of(head: bytes) -> bytes:
    """The id in a head that was written here."""
    return head[head.rfind(REQUEST_ID) + len(REQUEST_ID) : -len(END)]
