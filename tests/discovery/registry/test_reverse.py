from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.reverse import packed, read
from discovery.registry.wire import from_text


@given(st.ip_addresses())
def test_the_name_of_an_address_is_read_as_that_address(address: object) -> None:
    name = read(from_text(ip_address(str(address)).reverse_pointer))
    assert name is not None
    assert name.address == ip_address(str(address)).packed
    assert packed(ip_address(str(address)).reverse_pointer) == name.address


@pytest.mark.parametrize(
    ("text", "is_address"),
    [
        ("1.0.0.127.in-addr.arpa", True),
        ("0.0.127.in-addr.arpa", False),
        ("in-addr.arpa", False),
        ("01.0.0.127.in-addr.arpa", False),
        ("256.0.0.127.in-addr.arpa", False),
        ("a.0.0.127.in-addr.arpa", False),
        ("5.1.0.0.127.in-addr.arpa", False),
        ("1.ip6.arpa", False),
        ("10.ip6.arpa", False),
    ],
)
def test_what_an_address_is(text: str, is_address: bool) -> None:
    name = read(from_text(text))
    assert name is not None
    assert (name.address is not None) == is_address


@pytest.mark.parametrize("text", ["shop.default.svc.cluster.local", "arpa", "1.0.0.127.in-addr.arpa.local"])
def test_other_names_are_none(text: str) -> None:
    assert read(from_text(text)) is None


ZONES = {
    "a whole number of labels": ("1.2.96.10.in-addr.arpa", "10.96.0.0/16", "96.10.in-addr.arpa"),
    "the zone itself": ("96.10.in-addr.arpa", "10.96.0.0/16", "96.10.in-addr.arpa"),
    "above the zone": ("10.in-addr.arpa", "10.96.0.0/16", None),
    "beside it": ("1.2.97.10.in-addr.arpa", "10.96.0.0/16", None),
    "cut within a label": ("1.2.100.10.in-addr.arpa", "10.96.0.0/12", "100.10.in-addr.arpa"),
    "outside of the cut": ("1.2.112.10.in-addr.arpa", "10.96.0.0/12", None),
    "a small network": ("200.2.96.10.in-addr.arpa", "10.96.2.128/25", "200.2.96.10.in-addr.arpa"),
    "its other half": ("100.2.96.10.in-addr.arpa", "10.96.2.128/25", None),
    "IPv6": (ip_address("fd00::1").reverse_pointer, "fd00::/112", ip_address("fd00::1").reverse_pointer[8:]),
    "the other family": (ip_address("fd00::1").reverse_pointer, "10.0.0.0/8", None),
    "no address at all": ("x.96.10.in-addr.arpa", "10.96.0.0/16", "96.10.in-addr.arpa"),
}


@pytest.mark.parametrize("case", ZONES)
def test_the_zone_of_a_network(case: str) -> None:
    text, network, zone = ZONES[case]
    name = read(from_text(text))
    assert name is not None
    assert name.zone([ip_network(network)]) == (from_text(zone) if zone else None)
