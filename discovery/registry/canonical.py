"""Record data in the form in which equal data are equal bytes (RFC 4034 section 6.2): names in it in lower case.

What comes from outside to stay is checked too, for a secondary stumbles over an A record of three bytes, and then has
no zone any more.  Types that endpoints do not have are rare, and dnspython knows their forms.
"""

from __future__ import annotations

from discovery.registry.wire import AAAA, NAMES_IN_DATA, SOA, TXT, A

_SIZES = {A: 4, AAAA: 16}


def canonical(kind: int, data: bytes) -> bytes:
    """The data of a type, without compression, in lower case.  Raises ValueError for what is none of that type."""
    if kind in NAMES_IN_DATA:
        at, names = NAMES_IN_DATA[kind]
        start = at
        for _ in range(names):
            at = _past(data, at, is_name=True)
        if len(data) - at != (20 if kind == SOA else 0):
            raise ValueError(f"data of type {kind} with names have another length")
        # The length of a label is less than any letter.
        return data[:start] + data[start:at].lower() + data[at:]
    if kind == TXT:
        at = _past(data, 0, is_name=False)
        while at < len(data):
            at = _past(data, at, is_name=False)
    elif kind in _SIZES:
        if len(data) != _SIZES[kind]:
            raise ValueError(f"data of type {kind} have another length")
    else:
        _check(kind, data)
    return data


def _check(kind: int, data: bytes) -> None:
    import dns.exception
    import dns.rdata
    import dns.rdatatype

    try:
        dns.rdata.from_wire("IN", dns.rdatatype.RdataType.make(kind), data, 0, len(data))
    except dns.exception.DNSException as error:
        raise ValueError(f"data of type {kind} are malformed: {error}") from None


def _past(data: bytes, at: int, is_name: bool) -> int:
    """Where a name, or a string of up to 255 bytes, ends."""
    while at < len(data):
        length = data[at]
        if is_name and length > 63:
            raise ValueError("a label is too long")
        at += length + 1
        if not (is_name and length):
            break
    else:
        raise ValueError("a name or a string is missing")
    if at > len(data):
        raise ValueError("a name or a string ends early")
    return at
