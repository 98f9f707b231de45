"""The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): who the client is, in front of its bytes.

Sans-IO: `read_header` is given what has come so far, and says what the header says and where it ends, or that more is
to be waited for.  Nothing but a header is accepted where one is due: who may choose to send none could be anybody.
"""

from __future__ import annotations

import re
import struct
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Final, Literal, NamedTuple

Version = Literal["v1", "v2"]

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
MOST_V1: Final = 107
"""Bytes of the longest line of version 1."""
MOST_V2: Final = 4096
"""Bytes of a header of version 2 that are accepted: addresses and a few TLVs."""

_FIXED = struct.Struct("!12sBBH")
_LINE = re.compile(
    rb"PROXY (?:TCP([46]) ([0-9A-Fa-f.:]{2,45}) ([0-9A-Fa-f.:]{2,45}) ([0-9]{1,5}) ([0-9]{1,5})|UNKNOWN[ -~]*)\r\n"
)
_ADDRESSES: Final = {0x11: 4, 0x21: 16}
"""TCP over IPv4 and over IPv6, to the bytes of an address."""


class NoHeader(ValueError):
    """What came is no header of this protocol."""


class Conveyed(NamedTuple):
    """What a header says of the connection that it stands for."""

    end: int
    """Where the header ends in what was read."""
    source: tuple[str, int] | None = None
    """Address and port of the client; None: the sender speaks for itself, or does not know."""
    destination: tuple[str, int] | None = None
    """What the client dialled."""


def read_header(data: bytes) -> Conveyed | None:
    """The header at the beginning of `data`; None: more of it is to come.  Raises `NoHeader`."""
    if data.startswith(SIGNATURE):
        return _read_v2(data)
    if data.startswith(b"PROXY "):
        return _read_v1(data)
    if SIGNATURE.startswith(data) or b"PROXY ".startswith(data):
        return None
    raise NoHeader("the connection does not begin with a PROXY protocol header")


def _read_v1(data: bytes) -> Conveyed | None:
    end = data.find(b"\n", 0, MOST_V1) + 1
    if not end:
        if len(data) >= MOST_V1:
            raise NoHeader("a PROXY line of over 107 bytes")
        return None
    line = _LINE.fullmatch(data[:end])
    if not line:
        raise NoHeader("a malformed PROXY line")
    if not line[1]:
        return Conveyed(end)
    family = IPv4Address if line[1] == b"4" else IPv6Address
    try:
        source, destination = str(family(line[2].decode())), str(family(line[3].decode()))
    except AddressValueError:
        raise NoHeader("a PROXY line whose addresses are none") from None
    ports = [_port(line[4]), _port(line[5])]
    return Conveyed(end, (source, ports[0]), (destination, ports[1]))


def _port(digits: bytes) -> int:
    port = int(digits)
    if port > 65_535 or (digits[:1] == b"0" and len(digits) > 1):
        raise NoHeader("a PROXY line whose ports are none")
    return port


def _read_v2(data: bytes) -> Conveyed | None:
    if len(data) < _FIXED.size:
        return None
    _, version, family, length = _FIXED.unpack_from(data)
    end = _FIXED.size + length
    if version not in (0x20, 0x21):
        raise NoHeader("a PROXY header of an unknown version or command")
    if end > MOST_V2:
        raise NoHeader("a PROXY header of over 4096 bytes")
    size = _ADDRESSES.get(family, 0) if version == 0x21 else 0
    if size and length < 2 * size + 4:
        raise NoHeader("a PROXY header that is too short for its addresses")
    if len(data) < end:
        return None
    if not size:
        return Conveyed(end)
    at = _FIXED.size
    source, destination = (ip_address(data[at + n * size : at + (n + 1) * size]) for n in range(2))
    ports = struct.unpack_from("!HH", data, at + 2 * size)
    return Conveyed(end, (str(source), ports[0]), (str(destination), ports[1]))


def header(version: Version, source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """The header for a connection from `source` to `destination`, each an address and a port.

    Raises ValueError where one of them is no IP address.
    """
    ends = [ip_address(address.partition("%")[0]) for address, _ in (source, destination)]
    if ends[0].version != ends[1].version:  # a header has one family: IPv4 as IPv6 has it
        ends = [IPv6Address(f"::ffff:{end}") if isinstance(end, IPv4Address) else end for end in ends]
    if version == "v1":
        family = 4 if ends[0].version == 4 else 6
        return f"PROXY TCP{family} {ends[0]} {ends[1]} {source[1]} {destination[1]}\r\n".encode("ascii")
    packed = ends[0].packed + ends[1].packed + struct.pack("!HH", source[1], destination[1])
    return _FIXED.pack(SIGNATURE, 0x21, 0x11 if ends[0].version == 4 else 0x21, len(packed)) + packed
