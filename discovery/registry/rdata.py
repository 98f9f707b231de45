"""Record data as wire bytes (RFC 1035 section 3.3, RFC 3596, RFC 2782), of the types that the cluster's names have."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton

from discovery.registry import wire
from discovery.registry.transfer import EXPIRE_SECONDS, REFRESH_SECONDS, RETRY_SECONDS
from discovery.registry.wire import from_text, to_wire


@lru_cache(256)
def name(text: str) -> bytes:
    """A name as wire bytes; one Service's records name the same few over and over."""
    return to_wire(from_text(text))


def srv(text: str) -> bytes:
    """Priority, weight, port and target."""
    *numbers, target = text.split(" ")
    return b"".join(int(number).to_bytes(2, "big") for number in numbers) + name(target)


def txt(text: str) -> bytes:
    """One string of at most 255 bytes."""
    data = text.encode()
    return bytes((len(data),)) + data


def soa(primary: bytes, mailbox: bytes, serial: int, negative_ttl: int) -> bytes:
    """Names as wire bytes, and the times of the written zones, which this one is made of."""
    times = (serial, REFRESH_SECONDS, RETRY_SECONDS, EXPIRE_SECONDS, negative_ttl)
    return primary + mailbox + b"".join(number.to_bytes(4, "big") for number in times)


_TYPES: dict[str, tuple[int, Callable[[str], bytes]]] = {
    "A": (wire.A, lambda text: inet_pton(AF_INET, text)),
    "AAAA": (wire.AAAA, lambda text: inet_pton(AF_INET6, text)),
    "CNAME": (wire.CNAME, name),
    "NS": (wire.NS, name),
    "PTR": (wire.PTR, name),
    "SRV": (wire.SRV, srv),
    "TXT": (wire.TXT, txt),
}


def encode(kind: str, value: str) -> tuple[int, bytes]:
    """The number of a type and a value of it.  Raises ValueError for what DNS cannot say."""
    number, convert = _TYPES[kind]
    try:
        return number, convert(value)
    except (OSError, OverflowError) as error:
        raise ValueError(f"{value!r} is no {kind} data ({error})") from None
