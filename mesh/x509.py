"""The few facts of a certificate that are shown and watched: its names, and when it is good (RFC 5280 section 4.1).

OpenSSL judges certificates; it does not tell Python what is in one that it presents itself.  So this reads the
DER (X.690) as far as needed, and takes it for granted that OpenSSL has accepted it.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final, NamedTuple

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _SET, _OID, _UTC_TIME = 0x30, 0x31, 0x06, 0x17
_EXPLICIT_VERSION, _EXPLICIT_EXTENSIONS, _BOOLEAN = 0xA0, 0xA3, 0x01
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_SUBJECT_ALT_NAME: Final = bytes((0x55, 0x1D, 0x11))
_COMMON_NAME: Final = bytes((0x55, 0x04, 0x03))


class Facts(NamedTuple):
    names: tuple[str, ...]
    """DNS names and addresses of subjectAltName, lower case; without them the common name."""
    not_before: float
    """Seconds since 1970."""
    not_after: float


def facts(pem: bytes) -> Facts:
    """Of the first certificate in `pem`.  Raises ValueError with a sentence."""
    block = _PEM.search(pem)
    if block is None:
        raise ValueError("holds no certificate (-----BEGIN CERTIFICATE-----)")
    try:
        return _facts(b64decode(b"".join(block[1].split()), validate=True))
    except (binascii.Error, IndexError, StopIteration, UnicodeDecodeError, ValueError):
        raise ValueError("holds a certificate that cannot be read") from None


def covers(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate of `names` is good for `host`, a name or ``*.`` and a name (RFC 9525 section 6.3)."""
    return host in names or f"*.{host.partition('.')[2]}" in names


def _facts(der: bytes) -> Facts:
    certificate = next(_items(der))[1]
    fields = [item for item in _items(next(_items(certificate))[1]) if item[0] != _EXPLICIT_VERSION]
    _serial, _algorithm, _issuer, validity, subject, _key, *optional = fields
    not_before, not_after = (_seconds(*item) for item in _items(validity[1]))
    alternative = [name for kind, value in optional if kind == _EXPLICIT_EXTENSIONS for name in _alternatives(value)]
    return Facts(tuple(alternative or _common_names(subject[1])), not_before, not_after)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and contents of all that stands side by side in `data`."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length >= 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size]), at + size
        if at + length > len(data):
            raise IndexError
        yield tag, data[at : at + length]
        at += length


def _seconds(tag: int, value: bytes) -> float:
    text = value.decode("ascii")
    if tag == _UTC_TIME:  # two digits of a year, from 1950 on (RFC 5280 section 4.1.2.5.1)
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _alternatives(extensions: bytes) -> Iterator[str]:
    for _, extension in _items(next(_items(extensions))[1]):
        kind, *_critical, value = _items(extension)
        if kind[1] == _SUBJECT_ALT_NAME:
            for tag, name in _items(next(_items(value[1]))[1]):
                if tag == _DNS_NAME:
                    yield name.decode("ascii").lower()
                elif tag == _IP_ADDRESS:
                    yield str(ip_address(name))


def _common_names(subject: bytes) -> Iterator[str]:
    for _, part in _items(subject):
        for _, pair in _items(part):
            kind, value = _items(pair)
            if kind[1] == _COMMON_NAME:
                yield value[1].decode("utf-8").lower()
