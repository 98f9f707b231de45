"""ClientHello: which server a TLS client asks for, read from its first bytes without taking them.

A hello is one handshake message (RFC 8446 section 4.1.2), which may come in many TLS records (section 5.1) and
many packets.  Only the name of the server is wanted of it (server_name, RFC 6066 section 3); what else it says is
for whoever shakes hands.  Of what is encrypted (ECH) only the outer name is seen.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

LARGEST: Final = 16 * 1024
"""Bytes of a hello with its record headers; post-quantum key shares make hellos of 2 KiB."""

_HANDSHAKE, _MAJOR, _CLIENT_HELLO = 22, 3, 1
_SERVER_NAME, _HOST_NAME = 0, 0
_LONGEST_RECORD: Final = 16 * 1024
_MOST_RECORDS: Final = 32
"""More would be read again and again while one after the other comes."""
_NAME: Final = re.compile(rb"[A-Za-z0-9_*](?:[A-Za-z0-9_.:-]{0,252}[A-Za-z0-9_.:-])?")


class Hello(NamedTuple):
    server_name: str
    """Lower case and without a dot at its end; empty: none was said."""


class NoHello(Exception):
    """The bytes do not begin a ClientHello, or not one that is dealt with; the text says why."""


def read_hello(data: bytes) -> Hello | None:
    """The hello that `data` begins with; None: there is more to come.  Raises `NoHello`."""
    message = _message(data)
    if message is None:
        if len(data) >= LARGEST:
            raise NoHello("the ClientHello is over 16 KiB")
        return None
    try:
        return Hello(_server_name(message))
    except IndexError:
        raise NoHello("the ClientHello is cut short") from None


def alert(description: int) -> bytes:
    """The record of a fatal alert (RFC 8446 section 6) that ends a handshake before it begins."""
    return bytes((21, _MAJOR, 1, 0, 2, 2, description))


def _message(data: bytes) -> bytes | None:
    """The body of the handshake message, put together from its records; None while it is not whole."""
    parts: list[bytes] = []
    size, wanted, at = 0, 4, 0
    while len(data) >= at + 5:
        if data[at] != _HANDSHAKE or data[at + 1] != _MAJOR:
            raise NoHello("a client that does not speak TLS")
        length = data[at + 3] << 8 | data[at + 4]
        if not 0 < length <= _LONGEST_RECORD or len(parts) > _MOST_RECORDS:
            raise NoHello("a TLS record of a length that may not be")
        part = data[at + 5 : at + 5 + length]
        parts.append(part)
        size += len(part)
        if size >= 4 and wanted == 4:
            parts = [b"".join(parts)]
            wanted = 4 + _message_length(parts[0])
        if size >= wanted > 4:
            return b"".join(parts)[4:wanted]
        at += 5 + length
    if data[:1] not in (b"", b"\x16") or data[1:2] not in (b"", b"\x03"):
        raise NoHello("a client that does not speak TLS")
    return None


def _message_length(begun: bytes) -> int:
    if begun[0] != _CLIENT_HELLO:
        raise NoHello("the first handshake message is no ClientHello")
    length = int.from_bytes(begun[1:4])
    if not 38 <= length <= LARGEST:
        raise NoHello("a ClientHello of a length that is not dealt with")
    return length


def _server_name(message: bytes) -> str:
    """The host name; raises IndexError where a length leads beyond the end."""
    at = 34  # version and random
    at += 1 + message[at]  # session id
    at += 2 + _u16(message, at)  # cipher suites
    at += 1 + message[at]  # compression methods
    if at == len(message):
        return ""
    end = at + 2 + _u16(message, at)
    if end > len(message):
        raise IndexError
    at += 2
    while at < end:
        kind, length = _u16(message, at), _u16(message, at + 2)
        at += 4
        if at + length > end:
            raise IndexError
        if kind == _SERVER_NAME:
            return _host_name(message[at : at + length])
        at += length
    return ""


def _host_name(names: bytes) -> str:
    """Of a server_name extension, which holds one name of each type at most, and there is only one type."""
    length = _u16(names, 3)
    name = names[5 : 5 + length]
    if names[2] != _HOST_NAME or len(name) != length or not _NAME.fullmatch(name):
        raise NoHello("the name of the server in the ClientHello is none")
    return name.decode("ascii").lower().removesuffix(".")


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]
