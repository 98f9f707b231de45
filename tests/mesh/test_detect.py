"""What first bytes tell: a table, each case at every split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.detect import ENOUGH, Verdict, detect

CASES: dict[str, tuple[bytes, Verdict]] = {
    "get": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "http"),
    "post": (b"POST /a/b?c HTTP/1.1\r\n", "http"),
    "unknown method": (b"BREW /pot HTTP/1.1\r\n", "http"),
    "odd token": (b"X-!#$%&'*+.^_`|~9 /", "http"),
    "longest method": (b"M" * 32 + b" /", "http"),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n", "http"),
    "absolute": (b"GET http://a/ HTTP/1.1\r\n", "http"),
    "absolute, other case": (b"GET HTTPS://a/ HTTP/1.1\r\n", "http"),
    "connect": (b"CONNECT a:443 HTTP/1.1\r\n", "http"),
    "empty lines before": (b"\r\n\r\nGET / HTTP/1.1\r\n", "http"),
    "begins like the preface": (b"PRIVATE /x HTTP/1.1\r\n", "http"),
    "begins like the preface, and has a space": (b"PRI /x HTTP/1.1\r\n", "http"),
    "http2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4", "http2"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00", "tls"),
    "tls 1.3": (b"\x16\x03\x03", "tls"),
    "no tls": (b"\x16\x04\x01", "tcp"),
    "ssh": (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "tcp"),
    "smtp": (b"EHLO example.com\r\n", "tcp"),
    "redis": (b"*1\r\n$4\r\nPING\r\n", "tcp"),
    "redis inline": (b"PING\r\n", "tcp"),
    "redis inline with key": (b"GET key\r\n", "tcp"),
    "memcached": (b"get key\r\n", "tcp"),
    "memcached, key like a scheme": (b"get httpd\r\n", "tcp"),
    "imap": (b"a001 LOGIN x y\r\n", "tcp"),
    "irc": (b"NICK weft\r\n", "tcp"),
    "sip": (b"OPTIONS sip:a@b SIP/2.0\r\n", "tcp"),
    "rtsp": (b"OPTIONS rtsp://a/ RTSP/1.0\r\n", "tcp"),
    "postgres": (b"\0\0\0\x08\x04\xd2\x16\x2f", "tcp"),
    "mqtt": (b"\x10\x0c\0\4MQTT", "tcp"),
    "no space": (b"GET/ HTTP/1.1\r\n", "tcp"),
    "two spaces": (b"GET  / HTTP/1.1\r\n", "tcp"),
    "tab": (b"GET\t/ HTTP/1.1\r\n", "tcp"),
    "space first": (b" GET / HTTP/1.1\r\n", "tcp"),
    "nul": (b"\0", "tcp"),
    "method too long": (b"M" * 33, "tcp"),
    "empty lines only": (b"\r\n" * (ENOUGH // 2), "tcp"),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict_at_every_split(name: str) -> None:
    data, verdict = CASES[name]
    told = [detect(data[:end]) for end in range(len(data) + 1)]
    known = next(end for end, word in enumerate(told) if word != "more")
    assert told[0] == "more"
    assert all(word == "more" for word in told[:known])
    assert all(word == verdict for word in told[known:]), "a verdict never changes"


@given(st.binary(max_size=2 * ENOUGH))
def test_any_bytes_have_one_verdict(data: bytes) -> None:
    told = [detect(data[:end]) for end in range(len(data) + 1)]
    verdicts = [word for word in told if word != "more"]
    assert len(set(verdicts)) <= 1
    assert len(told) - len(verdicts) <= ENOUGH, "a verdict comes in time"


@given(
    st.sampled_from([b"GET", b"POST", b"M-SEARCH", b"x"]),
    st.sampled_from([b"/", b"*", b"http://a/"]),
    st.binary(max_size=20),
)
def test_requests_are_told(method: bytes, target: bytes, rest: bytes) -> None:
    assert detect(method + b" " + target + rest) == "http"
