"""Request heads: a table of what is refused and why, of what is sent on, and both doors against each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.http1.body import CHUNKED
from mesh.http1.errors import Malformed
from mesh.http1.request import (
    CarefulRequest,
    PlainRequest,
    Request,
    read_careful_request,
    read_request,
)

GET = b"GET / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST


def line(target: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return b"%b %b %b\r\nHost: a\r\n\r\n" % (method, target, version)


def field(raw: bytes) -> bytes:
    return GET + HOST + raw + b"\r\n\r\n"


def host(raw: bytes) -> bytes:
    return GET + b"Host: " + raw + b"\r\n\r\n"


REFUSED: dict[str, tuple[bytes, int]] = {
    "no method": (b" / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "no target": (b"GET HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "no version": (b"GET /\r\nHost: a\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "two spaces before target": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two spaces after target": (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "tab as separator": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "space after version": (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    "lower-case version": (line(b"/", version=b"http/1.1"), 400),
    "unknown protocol": (line(b"/", version=b"RTSP/1.0"), 400),
    "version 0.9": (line(b"/", version=b"HTTP/0.9"), 505),
    "version 1.2": (line(b"/", version=b"HTTP/1.2"), 505),
    "version 2.0": (line(b"/", version=b"HTTP/2.0"), 505),
    "version 1.10": (line(b"/", version=b"HTTP/1.10"), 400),
    "version 01.1": (line(b"/", version=b"HTTP/01.1"), 400),
    "version 1,1": (line(b"/", version=b"HTTP/1,1"), 400),
    "method with bracket": (line(b"/", b"G(T"), 400),
    "method with NUL": (line(b"/", b"G\0T"), 400),
    "method beyond ASCII": (line(b"/", b"G\xe9T"), 400),
    "method of 65 bytes": (line(b"/", b"M" * 65), 501),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
    "CONNECT to a path": (line(b"/", b"CONNECT"), 501),
    "asterisk for GET": (line(b"*"), 400),
    "relative target": (line(b"a"), 400),
    "authority as target": (line(b"a:80"), 400),
    "fragment": (line(b"/a#b"), 400),
    "target beyond ASCII": (line(b"/\xc3\xa9"), 400),
    "target with DEL": (line(b"/\x7f"), 400),
    "target with NUL": (line(b"/\0"), 400),
    "target with bare CR": (line(b"/\r"), 400),
    "target over 16 KiB": (line(b"/" + b"a" * 16_384), 414),
    "ftp target": (line(b"ftp://a/"), 400),
    "absolute target without host": (line(b"http:///a"), 400),
    "absolute target with user": (line(b"http://u@a/"), 400),
    "absolute target with bad port": (line(b"http://a:b/"), 400),
    "absolute target without Host": (b"GET http://a/ HTTP/1.1\r\n\r\n", 400),
    "no Host": (GET + b"\r\n", 400),
    "two Hosts": (GET + HOST + HOST + b"\r\n", 400),
    "two Hosts that differ": (GET + HOST + b"host: b\r\n\r\n", 400),
    "two Hosts in HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "empty Host": (host(b""), 400),
    "Host with space": (host(b"a b"), 400),
    "Host with user": (host(b"u@a"), 400),
    "Host with path": (host(b"a/b"), 400),
    "Host with query": (host(b"a?b"), 400),
    "Host with fragment": (host(b"a#b"), 400),
    "Host with backslash": (host(b"a\\b"), 400),
    "Host with quote": (host(b'"a"'), 400),
    "Host beyond ASCII": (host(b"\xc3\xa9"), 400),
    "Host with bad escape": (host(b"a%zz"), 400),
    "Host with two ports": (host(b"a:1:2"), 400),
    "Host with a word as port": (host(b"a:http"), 400),
    "Host with a signed port": (host(b"a:+1"), 400),
    "Host with a port over 65535": (host(b"a:65536"), 400),
    "Host with a port of six digits": (host(b"a:000080"), 400),
    "Host that is only a port": (host(b":80"), 400),
    "Host with a bare IPv6 address": (host(b"::1"), 400),
    "Host with an open bracket": (host(b"[::1"), 400),
    "Host with a bad IPv6 address": (host(b"[::1::2]"), 400),
    "Host with a name in brackets": (host(b"[a]"), 400),
    "Host with text after brackets": (host(b"[::1]a"), 400),
    "folded field": (field(b"A: b\r\n c"), 400),
    "folded field with tab": (field(b"A: b\r\n\tc"), 400),
    "folded first field": (GET + b" A: b\r\n" + HOST + b"\r\n", 400),
    "space before colon": (field(b"A : b"), 400),
    "tab before colon": (field(b"A\t: b"), 400),
    "no name": (field(b": b"), 400),
    "no colon": (field(b"A"), 400),
    "bracket in name": (field(b"A(: b"), 400),
    "name beyond ASCII": (field(b"\xe9: b"), 400),
    "control in name": (field(b"A\x01: b"), 400),
    "bare CR in value": (field(b"A: b\rc"), 400),
    "CR CR LF": (field(b"A: b\r"), 400),
    "bare LF in value": (field(b"A: b\nC: d"), 400),
    "DEL in value": (field(b"A: \x7f"), 400),
    "101 fields": (GET + HOST + b"A: b\r\n" * 100 + b"\r\n", 431),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "two equal lengths": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
    "list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\n", 400),
    "empty length": (POST + b"Content-Length:\r\n\r\n", 400),
    "signed length": (POST + b"Content-Length: +1\r\n\r\n", 400),
    "negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "length with underscore": (POST + b"Content-Length: 1_0\r\n\r\n", 400),
    "hexadecimal length": (POST + b"Content-Length: 0x1\r\n\r\n", 400),
    "length with fraction": (POST + b"Content-Length: 1.0\r\n\r\n", 400),
    "length with inner space": (POST + b"Content-Length: 1 0\r\n\r\n", 400),
    "length with superscript": (POST + b"Content-Length: \xb2\r\n\r\n", 400),
    "length with Arabic digits": (POST + b"Content-Length: \xd9\xa1\r\n\r\n", 400),
    "length with NBSP": (POST + b"Content-Length: 1\xa0\r\n\r\n", 400),
    "length over 2**63": (POST + b"Content-Length: 9223372036854775808\r\n\r\n", 400),
    "length of very many digits": (POST + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n", 400),
    "length beside coding": (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "coding beside length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
    "coding in HTTP/1.0": (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "empty coding": (POST + b"Transfer-Encoding:\r\n\r\n", 400),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "gzip only": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "gzip and chunked in two fields": (
        POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        501,
    ),
    "chunked, gzip": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
    "chunked in two fields": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "chunked with parameter": (POST + b"Transfer-Encoding: chunked;a=b\r\n\r\n", 400),
    "chunked and comma": (POST + b"Transfer-Encoding: chunked,\r\n\r\n", 400),
    "quoted chunked": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n', 400),
    "chunked with vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n", 400),
    "chunked with NBSP": (POST + b"Transfer-Encoding: \xa0chunked\r\n\r\n", 400),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n", 400),
    "space before the colon of a coding": (POST + b"Transfer-Encoding : chunked\r\n\r\n", 400),
}
CONTROLS = [*range(9), *range(10, 32), 127]
REFUSED |= {f"control {c} in value": (field(b"A: b%cc" % c), 400) for c in CONTROLS}
REFUSED |= {f"control {c} in Host": (host(b"a%cb" % c), 400) for c in [*CONTROLS, 9]}
REFUSED |= {f"byte {c} in name": (field(b"A%cb: c" % c), 400) for c in b' "(),/;<=>?@[\\]{}\x80\xff\x00\r\n\t'}
REFUSED |= {f"byte {c} in method": (line(b"/", b"G%cT" % c), 400) for c in b'"(),/:;<=>?@[\\]{}\x80\xff\x00\r\n\t'}
REFUSED |= {f"byte {c} in length": (POST + b"Content-Length: 1%c\r\n\r\n" % c, 400) for c in b'aAfF,;.+-_"\x00\x80'}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    head, status = REFUSED[name]
    with pytest.raises(Malformed) as caught:
        read_request(head)
    assert caught.value.reason.status == status
    details = caught.value.details
    assert details
    assert details.isascii()
    assert details.isprintable()
    assert '"' not in details


Expected = dict[str, object]
PLAIN: Expected = {"plain": True, "minor": 1, "length": 0, "keep_alive": True, "upgrade": (), "host": b"a"}

ACCEPTED: dict[str, tuple[bytes, Expected, bytes]] = {
    "smallest": (GET + HOST + b"\r\n", PLAIN, GET + HOST),
    "unknown method": (line(b"/", b"brew"), PLAIN | {"method": b"brew"}, b"brew / HTTP/1.1\r\n" + HOST),
    "get is not GET": (line(b"/", b"get"), PLAIN | {"method": b"get"}, b"get / HTTP/1.1\r\n" + HOST),
    "connect is not CONNECT": (line(b"/", b"connect"), {"plain": True}, b"connect / HTTP/1.1\r\n" + HOST),
    "case is kept": (
        b"GET /A?B HTTP/1.1\r\nhOST: Ex.Com\r\nX-Y: Zz\r\n\r\n",
        {"host": b"Ex.Com"},
        b"GET /A?B HTTP/1.1\r\nHost: Ex.Com\r\nX-Y: Zz\r\n",
    ),
    "odd target": (line(b"/\"<>\\^`{|}'%%41"), {}, b"GET /\"<>\\^`{|}'%%41 HTTP/1.1\r\n" + HOST),
    "target of 16 KiB": (line(b"/" + b"a" * 16_383), {}, b"GET /" + b"a" * 16_383 + b" HTTP/1.1\r\n" + HOST),
    "absolute target": (
        b"GET http://b:81/c?d HTTP/1.1\r\nHost: a\r\n\r\n",
        {"host": b"b:81"},
        b"GET /c?d HTTP/1.1\r\nHost: b:81\r\n",
    ),
    "absolute target without path": (line(b"HTTP://b?c"), {"host": b"b"}, b"GET /?c HTTP/1.1\r\nHost: b\r\n"),
    "absolute https target": (line(b"https://b"), {"host": b"b"}, b"GET / HTTP/1.1\r\nHost: b\r\n"),
    "asterisk": (line(b"*", b"OPTIONS"), {"plain": False}, b"OPTIONS * HTTP/1.1\r\n" + HOST),
    "absolute asterisk": (line(b"http://b", b"OPTIONS"), {}, b"OPTIONS * HTTP/1.1\r\nHost: b\r\n"),
    "Host with port": (host(b"a:8080"), {"host": b"a:8080", "plain": True}, GET + b"Host: a:8080\r\n"),
    "Host with empty port": (host(b"a:"), {"host": b"a:"}, GET + b"Host: a:\r\n"),
    "Host 65535": (host(b"a:65535"), {"host": b"a:65535"}, GET + b"Host: a:65535\r\n"),
    "Host with IPv6": (host(b"[::1]:80"), {"host": b"[::1]:80"}, GET + b"Host: [::1]:80\r\n"),
    "Host with IPvFuture": (host(b"[v1.a:b]"), {"host": b"[v1.a:b]"}, GET + b"Host: [v1.a:b]\r\n"),
    "Host with escapes": (host(b"a%41_~!$"), {"host": b"a%41_~!$"}, GET + b"Host: a%41_~!$\r\n"),
    "Host with white space around": (host(b" \ta\t "), {"host": b"a"}, GET + HOST),
    "Host last": (GET + b"A: b\r\n" + HOST + b"\r\n", {"plain": True}, GET + b"A: b\r\n" + HOST),
    "empty value": (field(b"A:"), {"plain": True}, GET + HOST + b"A:\r\n"),
    "obs-text": (field(b"A: \x80\xff"), {"plain": True}, GET + HOST + b"A: \x80\xff\r\n"),
    "tabs in value": (field(b"A: \tb\tc\t"), {"plain": True}, GET + HOST + b"A: \tb\tc\t\r\n"),
    "100 fields": (GET + HOST + b"A: b\r\n" * 99 + b"\r\n", {"plain": False}, GET + HOST + b"A: b\r\n" * 99),
    "keep-alive": (field(b"Connection: keep-alive\r\nA: b"), PLAIN, GET + HOST + b"A: b\r\n"),
    "keep-alive twice": (field(b"Connection: keep-alive\r\nConnection: keep-alive"), {"plain": False}, GET + HOST),
    "close": (field(b"Connection: close"), {"keep_alive": False}, GET + HOST),
    "Close among others": (field(b"Connection: x, Close\r\nX: y"), {"keep_alive": False}, GET + HOST),
    "nominated fields go": (field(b"Connection: a,\tB\r\nA: b\r\nb: c\r\nC: d"), {}, GET + HOST + b"C: d\r\n"),
    "hop-by-hop goes": (
        field(b"Keep-Alive: 1\r\nProxy-Connection: x\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: x"),
        {"upgrade": ()},
        GET + HOST,
    ),
    "Proxy-Authorization stays": (field(b"Proxy-Authorization: x"), {}, GET + HOST + b"Proxy-Authorization: x\r\n"),
    "TE: trailers": (
        field(b"TE: trailers;q=1, trailers\r\nConnection: TE"),
        {},
        GET + HOST + b"TE: trailers\r\nConnection: TE\r\n",
    ),
    "Upgrade": (field(b"Connection: Upgrade\r\nUpgrade: WebSocket, x"), {"upgrade": (b"websocket", b"x")}, GET + HOST),
    "Upgrade that Connection does not name": (field(b"Upgrade: websocket"), {"upgrade": ()}, GET + HOST),
    "Upgrade in HTTP/1.0": (
        b"GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        {"upgrade": (), "keep_alive": False},
        GET + HOST,
    ),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", {"minor": 0, "keep_alive": False}, GET + HOST),
    "HTTP/1.0 keep-alive": (
        b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        {"minor": 0, "keep_alive": True},
        GET + HOST,
    ),
    "HTTP/1.0 without Host": (b"GET / HTTP/1.0\r\n\r\n", {"host": b"z:1"}, GET + b"Host: z:1\r\n"),
    "HTTP/1.0 expects nothing": (b"GET / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", {}, GET + HOST),
    "Expect": (field(b"Expect: 100-continue"), {}, GET + HOST + b"Expect: 100-continue\r\n"),
    "length": (
        POST + b"content-length: 5\r\nA: b\r\n\r\n",
        PLAIN | {"length": 5, "method": b"POST"},
        POST + b"A: b\r\ncontent-length: 5\r\n",
    ),
    "length 0": (POST + b"Content-Length: 0\r\n\r\n", {"length": 0}, POST + b"Content-Length: 0\r\n"),
    "length after keep-alive": (
        POST + b"Connection: keep-alive\r\nA: b\r\nContent-Length: 50\r\n\r\n",
        PLAIN | {"length": 50},
        POST + b"A: b\r\nContent-Length: 50\r\n",
    ),
    "length of 15 digits": (
        POST + b"Content-Length: 123456789012345\r\n\r\n",
        PLAIN | {"length": 123456789012345},
        POST + b"Content-Length: 123456789012345\r\n",
    ),
    "length with zeros": (
        POST + b"Content-Length: 007\r\n\r\n",
        {"plain": False, "length": 7},
        POST + b"Content-Length: 7\r\n",
    ),
    "chunked": (
        POST + b"Transfer-Encoding: Chunked\r\n\r\n",
        {"length": CHUNKED},
        POST + b"Transfer-Encoding: chunked\r\n",
    ),
    "comma chunked": (
        POST + b"Transfer-Encoding: ,chunked\r\n\r\n",
        {"length": CHUNKED},
        POST + b"Transfer-Encoding: chunked\r\n",
    ),
    "X-Forwarded-* and kin are set apart": (
        field(b"X-Forwarded-For: 1\r\nX_Forwarded_For: 2\r\nForwarded: for=3\r\nX-Request-Id: 4\r\nX-Real: 5"),
        {
            "forwarding": {
                b"x-forwarded-for": [b"1"],
                b"x_forwarded_for": [b"2"],
                b"forwarded": [b"for=3"],
                b"x-request-id": [b"4"],
            }
        },
        GET + HOST + b"X-Real: 5\r\n",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    head, expected, lines = ACCEPTED[name]
    request = read_request(head, b"z:1")
    assert {key: getattr(request, key) for key in expected} == expected
    start, _, _ = lines.partition(b"\r\n")
    assert request.lines.partition(b"\r\n")[0] == start
    assert sorted(_spelled(request.lines)) == sorted(_spelled(lines))


def _spelled(lines: bytes) -> list[bytes]:
    """Plain requests keep their Host as it was spelled."""
    return [b"Host" + row[4:] if row[:5].lower() == b"host:" else row for row in lines.split(b"\r\n")]


names = st.sampled_from(
    [b"A", b"Accept", b"cookie", b"Connections", b"Hosts", b"Te-x", b"Upgrades", b"X-Forward", b"~"]
)
values = st.binary(max_size=20).map(lambda raw: bytes(c for c in raw if c == 9 or (c >= 32 and c != 127)))
lines_of_fields = st.lists(st.tuples(names, values).map(lambda pair: b"%b:%b\r\n" % pair), max_size=12)


def careful(head: bytes) -> CarefulRequest:
    return read_careful_request(head, b"")


def facts(request: Request) -> tuple[object, ...]:
    return (request.method, request.minor, request.host, request.length, request.keep_alive, request.upgrade)


@given(lines_of_fields, lines_of_fields, st.sampled_from([b"", b"Connection: Keep-Alive\r\n"]))
def test_both_doors_agree(before: list[bytes], after: list[bytes], connection: bytes) -> None:
    head = b"".join([b"PUT /x?Y HTTP/1.1\r\n", *before, b"Host: Me:80\r\n", connection, *after, b"\r\n"])
    plain, other = read_request(head), careful(head)
    assert isinstance(plain, PlainRequest)
    assert facts(plain) == facts(other)
    assert sorted(plain.lines.split(b"\r\n")) == sorted(other.lines.split(b"\r\n"))


@given(st.sampled_from([head for head, *_ in ACCEPTED.values()]), st.data())
def test_a_byte_changed_means_the_same_at_both_doors(head: bytes, data: st.DataObject) -> None:
    if len(head) > 2000:
        return
    at = data.draw(st.integers(0, len(head) - 5))
    changed = head[:at] + data.draw(st.binary(max_size=2)) + head[at + 1 :]
    if changed.find(b"\r\n\r\n") != len(changed) - 4 or b"\r\n" not in changed[:-4]:
        return  # a head ends with its first empty line
    try:
        request = read_request(changed)
    except Malformed:
        with pytest.raises(Malformed):
            careful(changed)
    else:
        assert facts(request) == facts(careful(changed))


@pytest.mark.parametrize("method", [b"OPTIONS", b"TRACE"])
@pytest.mark.parametrize(("received", "sent"), [(b"10", b"9"), (b"1", b"0"), (b"007 ", b"6")])
def test_max_forwards_is_counted_down(method: bytes, received: bytes, sent: bytes) -> None:
    request = read_request(
        method + b" /a HTTP/1.1\r\nHost: a\r\nX: y\r\nmax-Forwards: " + received + b"\r\nZ: 1\r\n\r\n"
    )
    assert b"\r\nmax-Forwards: " + sent + b"\r\nZ: 1\r\n" in request.lines


def test_max_forwards_of_other_methods_means_nothing() -> None:
    assert b"Max-Forwards: 0\r\n" in read_request(b"GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n").lines


@pytest.mark.parametrize("method", [b"OPTIONS", b"TRACE"])
def test_who_may_not_be_forwarded_is_refused(method: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        read_request(method + b" / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
    assert refused.value.reason.status == 501
