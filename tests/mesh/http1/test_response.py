"""Response heads: what is refused, and what is handed on in which framing."""

from __future__ import annotations

import pytest

from mesh.http1.body import CHUNKED, UNTIL_CLOSE
from mesh.http1.errors import Malformed
from mesh.http1.response import CarefulResponse, PlainResponse, read_careful_response, read_response

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"

REFUSED: dict[str, bytes] = {
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n" + EMPTY,
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n" + EMPTY,
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\n" + EMPTY,
    "HTTP/2": b"HTTP/2 200 OK\r\n" + EMPTY,
    "lower-case version": b"http/1.1 200 OK\r\n" + EMPTY,
    "no version": b"200 OK\r\n" + EMPTY,
    "two spaces": b"HTTP/1.1  200 OK\r\n" + EMPTY,
    "two digits": b"HTTP/1.1 20 OK\r\n" + EMPTY,
    "four digits": b"HTTP/1.1 2000 OK\r\n" + EMPTY,
    "status under 100": b"HTTP/1.1 099 OK\r\n" + EMPTY,
    "signed status": b"HTTP/1.1 +20 OK\r\n" + EMPTY,
    "control in reason": b"HTTP/1.1 200 O\x01K\r\n" + EMPTY,
    "bare CR in reason": b"HTTP/1.1 200 O\rK\r\n" + EMPTY,
    "space before": b" HTTP/1.1 200 OK\r\n" + EMPTY,
    "folded field": OK + b"A: b\r\n c\r\n" + EMPTY,
    "space before colon": OK + b"A : b\r\n" + EMPTY,
    "NUL in value": OK + b"A: \0\r\n" + EMPTY,
    "bare LF": OK + b"A: b\nC: d\r\n" + EMPTY,
    "101 fields": OK + b"A: b\r\n" * 100 + EMPTY,
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "two equal lengths": OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "list of lengths": OK + b"Content-Length: 1, 1\r\n\r\n",
    "signed length": OK + b"Content-Length: +1\r\n\r\n",
    "empty length": OK + b"Content-Length:\r\n\r\n",
    "length beside coding": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "coding beside length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
    "coding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    "chunked not last": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "gzip": OK + b"Transfer-Encoding: gzip\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_response(REFUSED[name])
    assert caught.value.reason.status == 502


ACCEPTED: dict[str, tuple[bytes, dict[str, object], bytes]] = {
    "plain": (OK + EMPTY, {"plain": True, "status": 200, "length": 0}, OK + EMPTY[:-2]),
    "no reason": (b"HTTP/1.1 200\r\n" + EMPTY, {"plain": True, "status": 200}, b"HTTP/1.1 200\r\n" + EMPTY[:-2]),
    "unknown status": (b"HTTP/1.1 999 X\r\n" + EMPTY, {"status": 999}, b"HTTP/1.1 999 X\r\n" + EMPTY[:-2]),
    "reason beyond ASCII": (b"HTTP/1.1 200 \xe9\r\n" + EMPTY, {"plain": True}, b"HTTP/1.1 200 \xe9\r\n" + EMPTY[:-2]),
    "keep-alive is cut": (
        OK + b"A: b\r\nConnection: keep-alive\r\nContent-Length: 5\r\nC: d\r\n\r\n",
        {"plain": True, "length": 5, "reusable": True},
        OK + b"A: b\r\nContent-Length: 5\r\nC: d\r\n",
    ),
    "keep-alive twice": (
        OK + b"Connection: keep-alive\r\nConnection: keep-alive\r\n" + EMPTY,
        {"plain": False, "reusable": True},
        OK + EMPTY[:-2],
    ),
    "chunked": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        {"plain": True, "length": CHUNKED},
        OK + b"Transfer-Encoding: chunked\r\n",
    ),
    "close": (OK + b"Connection: close\r\n" + EMPTY, {"reusable": False, "length": 0}, OK + EMPTY[:-2]),
    "until close": (OK + b"A: b\r\n\r\n", {"reusable": False, "length": UNTIL_CLOSE}, OK + b"A: b\r\n"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n" + EMPTY, {"reusable": False, "length": 0}, OK + EMPTY[:-2]),
    "HTTP/1.0 keep-alive": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + EMPTY,
        {"reusable": True},
        OK + EMPTY[:-2],
    ),
    "Keep-Alive": (OK + b"Keep-Alive: timeout=3, max=9\r\n" + EMPTY, {"timeout": 3}, OK + EMPTY[:-2]),
    "Keep-Alive that is none": (OK + b"Keep-Alive: timeout=x\r\n" + EMPTY, {"timeout": 0}, OK + EMPTY[:-2]),
    "nominated field": (OK + b"Connection: a\r\nA: b\r\n" + EMPTY, {"reusable": True}, OK + EMPTY[:-2]),
    "Upgrade goes": (OK + b"Upgrade: h2c\r\n" + EMPTY, {}, OK + EMPTY[:-2]),
    "Proxy-Authenticate stays": (
        OK + b"Proxy-Authenticate: x\r\n" + EMPTY,
        {},
        OK + b"Proxy-Authenticate: x\r\n" + EMPTY[:-2],
    ),
    "204 with length": (b"HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n", {"length": 0}, b"HTTP/1.1 204 N\r\n"),
    "204 with coding": (b"HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n", {"length": 0}, b"HTTP/1.1 204 N\r\n"),
    "304 with length": (
        b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
        {"length": 0, "reusable": True},
        b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n",
    ),
    "304 without length": (b"HTTP/1.1 304 N\r\n\r\n", {"length": 0, "reusable": True}, b"HTTP/1.1 304 N\r\n"),
    "100 with length": (b"HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n", {"length": 0}, b"HTTP/1.1 100 C\r\n"),
    "101": (
        b"HTTP/1.1 101 S\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\r\n",
        {"upgrade": (b"websocket",), "length": 0},
        b"HTTP/1.1 101 S\r\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    head, expected, lines = ACCEPTED[name]
    response = read_response(head)
    assert {key: getattr(response, key) for key in expected} == expected
    assert sorted(response.lines(head).split(b"\r\n")) == sorted(lines.split(b"\r\n"))


@pytest.mark.parametrize("name", ACCEPTED)
def test_both_doors_agree(name: str) -> None:
    head, _, _ = ACCEPTED[name]
    one, other = read_response(head), read_careful_response(head)
    assert isinstance(one, PlainResponse | CarefulResponse)
    assert (one.status, one.length, one.reusable, one.timeout) == (
        other.status, other.length, other.reusable, other.timeout,
    )  # fmt: skip
    if one.status != 200 or b"200 OK" in head:
        assert sorted(one.lines(head).split(b"\r\n")) == sorted(other.lines(head).split(b"\r\n"))
