"""A UDP socket of all addresses: an answer must come from the address that was asked (RFC 2181 section 4.1).

The kernel tells with each datagram where it was sent to, and takes the same for an answer (ip(7) IP_PKTINFO,
RFC 3542 section 6.2).  It costs a few microseconds, so sockets of one address do without.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any, Final

_V4: Final = (socket.IPPROTO_IP, getattr(socket, "IP_PKTINFO", 8))
_V6: Final = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)
_SPACE: Final = socket.CMSG_SPACE(20)

Ancillary = list[tuple[int, int, bytes]]


def prepare(udp: socket.socket) -> bool:
    """Whether `udp` is bound to all addresses; then `receive` tells which one was asked from now on."""
    if not ip_address(udp.getsockname()[0]).is_unspecified:
        return False
    if udp.family == socket.AF_INET:
        udp.setsockopt(*_V4, 1)
    else:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    return True


def receive(udp: socket.socket, largest: int) -> tuple[bytes, Any, Ancillary]:
    """A datagram, its sender, and what `sendmsg` needs to answer from the address that was asked."""
    message, told, _, client = udp.recvmsg(largest, _SPACE)
    answer: Ancillary = []
    for level, kind, data in told:
        if (level, kind) == _V4:
            answer.append((level, kind, bytes(4) + data[8:12] + bytes(4)))  # any interface, that source
        elif (level, kind) == _V6:
            answer.append((level, kind, data))
    return message, client, answer
