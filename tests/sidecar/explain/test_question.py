"""URLs and headers as users write them, and what is said of those that cannot be asked about."""

from __future__ import annotations

import pytest
from hypothesis import given

from mesh.http1.request import read_careful_request
from sidecar.explain.question import BadQuestion, parse_question
from tests.texts import texts

READ = {
    "plain": ("http://shop.example/cart?x=1", "shop.example", 80, False, "/cart?x=1", "shop.example"),
    "no scheme": ("shop.example", "shop.example", 80, False, "/", "shop.example"),
    "port": ("http://127.0.0.1:8080/", "127.0.0.1", 8080, True, "/", "127.0.0.1:8080"),
    "the port it stands for": ("https://shop:443/", "shop", 443, True, "/", "shop"),
    "https": ("https://Shop.Example", "shop.example", 443, False, "/", "shop.example"),
    "ipv6": ("http://[::1]:81/a", "::1", 81, True, "/a", "[::1]:81"),
    "zone": ("http://[fe80::1%25eth0]/", "fe80::1", 80, False, "/", "[fe80::1]"),
    "tcp": ("tcp://127.0.0.1:5432", "127.0.0.1", 5432, True, "/", "127.0.0.1:5432"),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read(name: str) -> None:
    url, host, port, ported, target, authority = READ[name]
    question = parse_question(url)
    assert (question.host, question.port, question.ported, question.target) == (host, port, ported, target)
    assert question.authority == authority


@pytest.mark.parametrize(
    ("url", "headers", "says"),
    [
        ("ftp://a/", (), "scheme must be one of http, https, tcp, udp"),
        ("http:///x", (), "no host"),
        ("http://a:99999/", (), "99999|range"),
        ("tcp://a", (), "no port; write tcp://HOST:PORT"),
        ("udp://a", (), "no port; write udp://HOST:PORT"),
        ("http://a/b c", (), "escape others as %XX"),
        ("http://a/\u00e9", (), "escape others as %XX"),
        ("http://a/", ("no colon",), "written 'Name: value'"),
        ("http://a/", (": v",), "written 'Name: value'"),
        ("http://a/", ("A: b\r\nC: d",), "written 'Name: value'"),
    ],
)
def test_mistakes(url: str, headers: tuple[str, ...], says: str) -> None:
    with pytest.raises(BadQuestion, match=says):
        parse_question(url, headers=headers)


def test_mistakes_beside_the_url() -> None:
    with pytest.raises(BadQuestion, match="is no method"):
        parse_question("a", method="GET /")
    with pytest.raises(BadQuestion, match="is no address of a client"):
        parse_question("a", client="nowhere")


@pytest.mark.parametrize(("host", "name"), [("b.example:81", "b.example"), ("[::1]:8", "[::1]"), ("c", "c")])
def test_a_host_header_wins(host: str, name: str) -> None:
    question = parse_question("http://a:1/", headers=(f"hOsT:  {host}",))
    assert (question.authority, question.host_name) == (host, name)
    assert question.head.count(b"Host:") == 1


@given(texts(30), texts(10), texts(10))
def test_whatever_is_asked_is_read_or_refused(url: str, name: str, value: str) -> None:
    try:
        question = parse_question(url, headers=(f"{name}:{value}",))
    except BadQuestion:
        return
    assert question.head.endswith(b"\r\n\r\n")
    assert question.head.count(b"\r\n") == 3 + (name.strip().lower() != "host")


def test_the_head_is_one_that_the_data_plane_reads() -> None:
    question = parse_question("http://shop.example/cart", "POST", ("Content-Length: 0", "X-A: b"))
    request = read_careful_request(question.head, b"127.0.0.1:80")
    assert (request.method, request.host) == (b"POST", b"shop.example")
