"""X-Forwarded-*, Forwarded (RFC 7239) and X-Request-Id: what the endpoint is told of who sent a request.

Believed are the fields of trusted proxies, and at a ClusterIP those of all clients, who are in the cluster
themselves: there this hop is appended.  Elsewhere a client could say anything: what it said is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

from mesh.peer import Networks, Peer, plain, within
from mesh.request_id import acceptable

MOST_HOPS: Final = 32
"""Entries of X-Forwarded-For that are looked at, from the last one on."""


def forwarding_lines(peer: Peer, host: bytes, port: int) -> bytes:
    """The lines for a request of `peer`, none of whose own words are believed."""
    before, after = around_host(peer, port)
    return before + host + after


def around_host(peer: Peer, port: int) -> tuple[bytes, bytes]:
    """What those lines say before they name the host, and after: all requests of a connection have it in common."""
    address = peer.address.encode()
    before = b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: " % (address, _scheme(peer))
    return before, b"\r\nX-Forwarded-Port: %d\r\n" % port


def _scheme(peer: Peer) -> bytes:
    return b"https" if peer.secure else b"http"


def appended_lines(said: Mapping[bytes, list[bytes]], peer: Peer, host: bytes, port: int) -> bytes:
    """The lines for a request whose forwarding fields `said` are believed."""
    address = peer.address.encode()
    hops = b", ".join([*said.get(b"x-forwarded-for", ()), address])
    lines = [b"X-Forwarded-For: " + hops]
    ours = {b"x-forwarded-proto": _scheme(peer), b"x-forwarded-host": host, b"x-forwarded-port": b"%d" % port}
    for name, value in ours.items():
        lines.append(name.title() + b": " + (said[name][0] if name in said else value))
    lines += [
        name.title() + b": " + value
        for name, values in said.items()
        if name.startswith(b"x-forwarded-") and name not in ours and name != b"x-forwarded-for"
        for value in values
    ]
    if b"forwarded" in said:
        node = b'"[%b]"' % address if b":" in address else address
        lines.append(b"Forwarded: " + b", ".join([*said[b"forwarded"], b"for=" + node]))
    return b"\r\n".join(lines) + b"\r\n"


def believed_id(said: Mapping[bytes, list[bytes]]) -> bytes:
    """The request id that a believed client sent, if it is one and sane; else nothing."""
    ids = said.get(b"x-request-id", ())
    return ids[0] if len(ids) == 1 and acceptable(ids[0]) else b""


def conveyed(said: Mapping[bytes, list[bytes]], peer: Peer, proxies: Networks) -> tuple[str, bool]:
    """The client's address, and whether it used TLS, as filters see them: a trusted proxy tells of its own client."""
    if not peer.trusted:
        return peer.address, peer.secure
    scheme = b",".join(said.get(b"x-forwarded-proto", ())).rpartition(b",")[2].strip(b" \t").lower()
    return _client(said, peer.address, proxies), scheme == b"https" if scheme else peer.secure


def _client(said: Mapping[bytes, list[bytes]], proxy: str, proxies: Networks) -> str:
    """Whom trusted proxies speak for: each names the one before it, and is believed as far as it is itself trusted.

    So it is the last address in X-Forwarded-For that is no proxy's; where there is none, or what a proxy says is no
    address, the first one that is known.
    """
    hops = b",".join(said.get(b"x-forwarded-for", ())).rsplit(b",", MOST_HOPS)
    known = proxy
    for hop in reversed(hops[-MOST_HOPS:]):
        address = _address(hop.strip(b" \t").decode("latin-1"))
        if not address:
            break
        known = address
        if not within(known, proxies):
            break
    return known


def _address(hop: str) -> str:
    """The address that a proxy names, some with its port; empty: none."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return plain(str(ip_address(hop)))
    except ValueError:
        return ""
