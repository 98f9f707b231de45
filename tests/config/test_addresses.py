"""Addresses, networks and HOST:PORT: the values, and what is said against wrong ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network

import pytest

from config.addresses import assignable, parse_address, parse_host_port, parse_network, parse_service_range


def test_values() -> None:
    assert parse_address("127.0.0.1") == ip_address("127.0.0.1")
    assert parse_network("127.96.0.0/16") == ip_network("127.96.0.0/16")
    assert parse_network("fd00::/108") == ip_network("fd00::/108")
    assert parse_host_port("127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert parse_host_port("[::1]:0") == ("::1", 0)
    assert parse_host_port("localhost:80") == ("127.0.0.1", 80)


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (parse_address, "127.0.0.01", "not an IP address"),
        (parse_address, "web", "not an IP address"),
        (parse_address, "fe80::1%eth0", "zone"),
        (parse_network, "10.0.0.0", "ADDRESS/BITS"),
        (parse_network, "10.0.0.0/33", "not a network"),
        (parse_network, "10.0.0.0/255.0.0.0", 'write the number of bits, "10.0.0.0/8"'),
        (parse_network, "10.1.0.0/8", 'write "10.0.0.0/8"'),
        (parse_network, "a/8", "not a network"),
        (parse_host_port, "8080", "not HOST:PORT"),
        (parse_host_port, ":8080", "not HOST:PORT"),
        (parse_host_port, "127.0.0.1:70000", "0 to 65535"),
        (parse_host_port, "127.0.0.1:http", "0 to 65535"),
        (parse_host_port, "::1:80", "brackets"),
        (parse_host_port, "web:80", "not an IP address"),
    ],
)
def test_problems(parse: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse(text)


@pytest.mark.parametrize(
    ("cidr", "first", "last"),
    [
        ("127.96.0.0/24", "127.96.0.1", "127.96.0.254"),
        ("fd00::/120", "fd00::1", "fd00::ff"),
    ],
)
def test_assignable(cidr: str, first: str, last: str) -> None:
    numbers = assignable(parse_network(cidr))
    assert (numbers[0], numbers[-1]) == (int(ip_address(first)), int(ip_address(last)))


@pytest.mark.parametrize(
    ("cidr", "reach", "words"),
    [
        ("10.96.0.0/16", "loopback", "reach: route"),
        ("126.0.0.0/7", "loopback", "reach: route"),
        ("127.96.0.0/31", "loopback", "larger range"),
        ("10.96.0.0", "route", "ADDRESS/BITS"),
    ],
)
def test_service_ranges_that_cannot_be(cidr: str, reach: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_service_range(cidr, reach)


@pytest.mark.parametrize(("cidr", "reach"), [("127.96.0.0/16", "loopback"), ("10.96.0.0/16", "route")])
def test_service_ranges(cidr: str, reach: str) -> None:
    assert parse_service_range(cidr, reach) == ip_network(cidr)
