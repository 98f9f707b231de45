"""URLs, headers and bodies as bytes."""

from __future__ import annotations

import pytest

from sidecar.load.target import BadTarget, parse_target


def test_a_plain_url() -> None:
    target = parse_target("http://127.0.0.1:8080/a?b=c")
    assert (target.host, target.port) == ("127.0.0.1", 8080)
    assert target.request == b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [("127.0.0.1:81", "127.0.0.1", 81), ("http://localhost", "localhost", 80), ("http://[::1]:8/", "::1", 8)],
)
def test_forms_of_urls(url: str, host: str, port: int) -> None:
    target = parse_target(url)
    assert (target.host, target.port) == (host, port)
    assert target.request.startswith(b"GET / HTTP/1.1\r\nHost: ")


def test_headers_body_and_method() -> None:
    target = parse_target("http://h/", "POST", ["Host: other", "X-A: b"], b"hello")
    assert target.request == b"POST / HTTP/1.1\r\nHost: other\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello"
    assert parse_target("http://h/", "HEAD").head_only


@pytest.mark.parametrize(
    ("url", "headers", "says"),
    [
        ("http://[", [], "Invalid IPv6"),
        ("https://h/", [], "only http://"),
        ("http://h:99999/", [], "Port out of range"),
        ("http:///x", [], "no host"),
        ("http://h/\u00e9", [], "printable ASCII"),
        ("http://h/", ["X: a\r\nY: b"], "printable ASCII"),
        ("http://h/", ["X"], "Name: value"),
    ],
)
def test_what_cannot_be_sent_is_refused(url: str, headers: list[str], says: str) -> None:
    with pytest.raises(BadTarget, match=says):
        parse_target(url, "GET", headers)
