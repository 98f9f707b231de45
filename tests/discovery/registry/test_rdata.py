from __future__ import annotations

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.rdata import encode, name, soa

TABLE = {
    "A": "10.0.0.1",
    "AAAA": "fd00::1",
    "CNAME": "www.example.com",
    "NS": "ns.example.com",
    "PTR": "shop.default.svc.cluster.local",
    "SRV": "0 100 80 shop.default.svc.cluster.local",
    "TXT": "1.1.0",
}


@pytest.mark.parametrize("kind", TABLE)
def test_data_is_what_dnspython_makes_of_it(kind: str) -> None:
    number, data = encode(kind, TABLE[kind])
    theirs = dns.rdata.from_text("IN", kind, TABLE[kind], relativize=False)
    assert number == theirs.rdtype
    assert data == dns.rdata.from_text("IN", kind, f"{TABLE[kind]}{dot(kind)}").to_wire()


def dot(kind: str) -> str:
    """dnspython takes a name without one for a relative one."""
    return "." if kind in {"CNAME", "NS", "PTR", "SRV"} else ""


@given(st.ip_addresses(v=4), st.ip_addresses(v=6), st.integers(0, 65535), st.integers(0, 65535))
def test_any_address_and_port(four: object, six: object, port: int, weight: int) -> None:
    assert encode("A", str(four))[1] == dns.rdata.from_text("IN", "A", str(four)).to_wire()
    assert encode("AAAA", str(six))[1] == dns.rdata.from_text("IN", "AAAA", str(six)).to_wire()
    text = f"1 {weight} {port} a.b"
    assert encode("SRV", text)[1] == dns.rdata.from_text("IN", "SRV", f"{text}.").to_wire()


def test_start_of_authority() -> None:
    text = "ns.dns.z. hostmaster.z. 7 1 1 604800 1"
    assert soa(name("ns.dns.z"), name("hostmaster.z"), 7, 1) == dns.rdata.from_text("IN", "SOA", text).to_wire()


@pytest.mark.parametrize(
    ("kind", "value"),
    [("A", "fd00::1"), ("AAAA", "10.0.0.1"), ("CNAME", "a" * 64), ("SRV", "0 1 65536 a"), ("TXT", "x" * 256)],
)
def test_what_dns_cannot_say(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode(kind, value)
