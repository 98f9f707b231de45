"""Whose word about a request's origin is believed, and what the endpoint is told."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.forwarded import appended_lines, believed_id, conveyed, forwarding_lines
from mesh.peer import Peer
from tests.mesh.dialogue import OK, answering, get, mesh

PROXIES = (ip_network("198.51.100.0/24"), ip_network("10.0.0.0/8"))
PEER = Peer("192.0.2.1", 1)
CLAIMS = (
    "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "X-Forwarded-Port: 1",
    "X-Forwarded-Prefix: /p", "X_Forwarded_For: 8.8.8.8", "Forwarded: for=9.9.9.9", "X-Request-Id: mine",
)  # fmt: skip


def test_replaced() -> None:
    assert forwarding_lines(PEER, b"a:81", 80) == (
        b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a:81\r\nX-Forwarded-Port: 80\r\n"
    )


def test_appended() -> None:
    said = {
        b"x-forwarded-for": [b"1, 2", b"3"],
        b"x-forwarded-proto": [b"https"],
        b"forwarded": [b"for=1"],
        b"x-forwarded-prefix": [b"/p"],
    }
    assert appended_lines(said, Peer("::1", 1), b"a", 80).split(b"\r\n") == [
        b"X-Forwarded-For: 1, 2, 3, ::1",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Host: a",
        b"X-Forwarded-Port: 80",
        b"X-Forwarded-Prefix: /p",
        b'Forwarded: for=1, for="[::1]"',
        b"",
    ]


def test_ids() -> None:
    assert believed_id({b"x-request-id": [b"a"]}) == b"a"
    assert believed_id({b"x-request-id": [b"a", b"b"]}) == b""
    assert believed_id({b"x-request-id": [b"a b"]}) == b""
    assert believed_id({}) == b""


@pytest.mark.parametrize(
    ("entry", "trusted", "believed"),
    [
        ("NodePort", "", False),
        ("LoadBalancer", "", False),
        ("Ingress", "10.0.0.0/8", False),
        ("Ingress", "127.0.0.0/8", True),
        ("ClusterIP", "", True),
    ],
)
async def test_who_is_believed(entry: str, trusted: str, believed: bool) -> None:
    async with mesh(answering(OK), entry=entry, trusted=trusted) as world:  # type: ignore[arg-type]
        await world.ask(get("/", *CLAIMS))
        head = world.endpoints[0].heads[0]
        assert (b"\r\nX-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n" in head) is believed
        assert (b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in head) is not believed
        assert (b"\r\nX-Forwarded-Proto: https\r\n" in head) is believed
        assert (b"\r\nX-Request-Id: mine\r\n" in head) is believed
        assert (b"evil" in head) is believed
        assert b"8.8.8.8" not in head
        assert head.count(b"X-Request-Id") == 1


@pytest.mark.parametrize(
    ("trusted", "said", "client", "secure"),
    [
        (False, {b"x-forwarded-for": [b"192.0.2.9"], b"x-forwarded-proto": [b"https"]}, "198.51.100.1", False),
        (True, {}, "198.51.100.1", False),
        (True, {b"x-forwarded-for": [b"192.0.2.9"]}, "192.0.2.9", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8, 192.0.2.9"]}, "192.0.2.9", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8", b"2001:db8::9 "]}, "2001:db8::9", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8, 10.0.0.1,10.0.0.2"]}, "192.0.2.8", False),
        (True, {b"x-forwarded-for": [b"10.0.0.9, 192.0.2.8, 10.0.0.1", b"10.0.0.2"]}, "192.0.2.8", False),
        (True, {b"x-forwarded-for": [b"203.0.113.1, 192.0.2.8, 10.0.0.1"]}, "192.0.2.8", False),
        (True, {b"x-forwarded-for": [b"10.0.0.1, 10.0.0.2"]}, "10.0.0.1", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8, unknown, 10.0.0.2"]}, "10.0.0.2", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8, , 10.0.0.2"]}, "10.0.0.2", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8:1234, 10.0.0.1:80"]}, "192.0.2.8", False),
        (True, {b"x-forwarded-for": [b"[2001:db8::9]:1234, 10.0.0.1"]}, "2001:db8::9", False),
        (True, {b"x-forwarded-for": [b"[2001:db8::9]"]}, "2001:db8::9", False),
        (True, {b"x-forwarded-for": [b"::ffff:192.0.2.8, ::ffff:10.0.0.1"]}, "192.0.2.8", False),
        (True, {b"x-forwarded-for": [b"fe80::1%eth0"]}, "fe80::1%eth0", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8" + b", 10.0.0.1" * 31]}, "192.0.2.8", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8" + b", 10.0.0.1" * 32]}, "10.0.0.1", False),
        (True, {b"x-forwarded-for": [b",".join([b"10.0.0.3"] * 6000)]}, "10.0.0.3", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8, unknown"]}, "198.51.100.1", False),
        (True, {b"x-forwarded-for": [b"192.0.2.8, \xff"]}, "198.51.100.1", False),
        (True, {b"x-forwarded-proto": [b"HTTPS"]}, "198.51.100.1", True),
        (True, {b"x-forwarded-proto": [b"https, http"]}, "198.51.100.1", False),
    ],
)
def test_whom_a_trusted_proxy_speaks_for(
    trusted: bool, said: dict[bytes, list[bytes]], client: str, secure: bool
) -> None:
    assert conveyed(said, Peer("198.51.100.1", 1, trusted=trusted), PROXIES) == (client, secure)


def test_who_came_over_tls_did_so_unless_a_trusted_proxy_says_otherwise() -> None:
    assert conveyed({}, Peer("198.51.100.1", 1, secure=True), PROXIES) == ("198.51.100.1", True)
    over_http = {b"x-forwarded-proto": [b"http"]}
    assert conveyed(over_http, Peer("198.51.100.1", 1, trusted=True, secure=True), PROXIES) == ("198.51.100.1", False)


@given(st.binary(max_size=200))
def test_whatever_a_proxy_says_an_address_comes_of_it(said: bytes) -> None:
    client, _ = conveyed({b"x-forwarded-for": [said]}, Peer("198.51.100.1", 1, trusted=True), PROXIES)
    assert ip_address(client)
