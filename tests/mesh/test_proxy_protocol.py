"""The PROXY protocol: headers of both versions read and made, and all that is none refused."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.proxy_protocol import MOST_V1, MOST_V2, SIGNATURE, Conveyed, NoHeader, Version, header, read_header

V4 = (("192.0.2.1", 56324), ("192.0.2.2", 443))
V6 = (("2001:db8::1", 56324), ("2001:db8::2", 443))


def v2(version: int = 0x21, family: int = 0x11, body: bytes = b"", length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", version, family, len(body) if length is None else length) + body


BODY = b"\xc0\0\2\1\xc0\0\2\2" + struct.pack("!HH", 56324, 443)


@pytest.mark.parametrize(
    ("data", "source", "destination"),
    [
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", *V4),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", *V6),
        (b"PROXY UNKNOWN\r\n", None, None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None, None),
        (v2(body=BODY), *V4),
        (v2(body=BODY + b"\x04\0\1x"), *V4),
        (v2(family=0x21, body=bytes(15) + b"\1" + bytes(15) + b"\2" + b"\0\1\0\2"), ("::1", 1), ("::2", 2)),
        (v2(0x20), None, None),
        (v2(0x20, 0x11, BODY), None, None),
        (v2(family=0x00), None, None),
        (v2(family=0x31, body=bytes(216)), None, None),
        (v2(family=0x12, body=BODY), None, None),
    ],
    ids=[
        "v1 IPv4", "v1 IPv6", "unknown", "unknown with more", "v2 IPv4", "v2 TLV", "v2 IPv6", "local",
        "local with more", "unspecified", "unix", "UDP",
    ],
)  # fmt: skip
def test_headers(data: bytes, source: tuple[str, int] | None, destination: tuple[str, int] | None) -> None:
    assert read_header(data) == Conveyed(len(data), source, destination)
    assert read_header(data + b"GET /") == Conveyed(len(data), source, destination)
    for cut in range(len(data)):
        assert read_header(data[:cut]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"proxy TCP4 ",
        b"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 2001:db8::2 1 2\r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY UNKNOWN \xff\r\n",
        b"PROXY UNKNOWN\rX\r\n",
        b"PROXY UNKNOWN" + b" " * MOST_V1,
        SIGNATURE[:-1] + b"x",
        v2(0x11, body=BODY),
        v2(0x22, body=BODY),
        v2(body=BODY[:-1]),
        v2(family=0x21, body=BODY),
        v2(length=MOST_V2),
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(NoHeader):
        read_header(data)


@pytest.mark.parametrize("version", ["v1", "v2"])
@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 65_535), st.integers(0, 65_535))
def test_what_is_made_is_read(
    version: Version, one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address, from_: int, to: int
) -> None:
    made = header(version, (str(one), from_), (str(other), to))
    read = read_header(made)
    assert read is not None
    assert read.end == len(made)
    assert read.source is not None
    assert read.source[1] == from_
    if one.version == other.version:
        assert read[1:] == ((str(one), from_), (str(other), to))
    else:
        assert ":" in read.source[0]


def test_zones_are_left_out() -> None:
    assert header("v1", ("fe80::1%eth0", 1), ("fe80::2", 2)) == b"PROXY TCP6 fe80::1 fe80::2 1 2\r\n"


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for start in (b"", SIGNATURE, b"PROXY "):
        try:
            read = read_header(start + data)
        except NoHeader:
            continue
        assert read is None or read.end <= len(start + data)
