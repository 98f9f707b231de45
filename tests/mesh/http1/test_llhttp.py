"""Against llhttp in its strict mode: what we accept it accepts, with the same framing, and the other way round,
but for the differences listed here.  `DIFFERENCES` is the whole list."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.http1.body import CHUNKED, UNTIL_CLOSE, LengthBody
from mesh.http1.chunked import ChunkedBody
from mesh.http1.errors import Malformed
from mesh.http1.request import read_request
from mesh.http1.response import read_response
from mesh.reasons import BAD_REQUEST


class Verdict(NamedTuple):
    accepted: bool
    body: bytes = b""
    beyond: int = 0
    """Bytes that we read as belonging to the next message, about which llhttp is not asked."""


class Events:
    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


def llhttp(raw: bytes, parser: Callable[[object], object]) -> Verdict:
    events = Events()
    try:
        parser(events).feed_data(raw)  # type: ignore[attr-defined]
    except httptools.HttpParserUpgrade:
        return Verdict(True)
    except httptools.HttpParserError:
        return Verdict(False)
    return Verdict(events.complete, events.body)


def request(raw: bytes) -> Verdict:
    """One request that is all of `raw`, as we read it."""
    raw = re.sub(rb"^(\r\n)+", b"", raw)
    end = raw.find(b"\r\n\r\n") + 4
    try:
        return body_of(read_request(raw[:end]).length, raw[end:]) if end > 3 else Verdict(False)
    except Malformed:
        return Verdict(False)


def response(raw: bytes) -> Verdict:
    end = raw.find(b"\r\n\r\n") + 4
    try:
        return body_of(read_response(raw[:end]).length, raw[end:]) if end > 3 else Verdict(False)
    except Malformed:
        return Verdict(False)


def body_of(length: int, raw: bytes) -> Verdict:
    body = ChunkedBody(BAD_REQUEST, decode=True) if length == CHUNKED else LengthBody(max(length, 0))
    if body.complete:
        return Verdict(True, b"", len(raw))
    data = b"".join(body.feed(raw)) if raw else b""
    return Verdict(body.complete, data, len(body.rest))


METHODS = (
    b"DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND "
    b"REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE "
    b"MKCALENDAR LINK UNLINK QUERY"
).split()

DIFFERENCES: dict[str, tuple[bytes, bool]] = {
    # name: (an example, whether it is we who accept)
    "unknown method tokens are forwarded": (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", True),
    "HTTP/1.1 without Host": (b"GET / HTTP/1.1\r\n\r\n", False),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", False),
    "a Host that is no host": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", False),
    "more than one space in the request line": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", False),
    "HTTP/0.9 and HTTP/2.0": (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", False),
    "a request without a version": (b"GET /\r\n\r\n", False),
    "RTSP and ICE": (b"OPTIONS / RTSP/1.0\r\nHost: a\r\n\r\n", False),
    "bare LF before a request": (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", False),
    "the target * for others than OPTIONS": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", False),
    "targets of other schemes": (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", False),
    "user information in a target": (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", False),
    "fragments": (b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", False),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", False),
    "other transfer codings before chunked": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        False,
    ),
    "Transfer-Encoding in HTTP/1.0": (
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        False,
    ),
    "a chunk extension with = and no value": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\r\nx\r\n0\r\n\r\n",
        False,
    ),
    "chunk sizes over 32 digits": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 33 + b"\r\n\r\n",
        False,
    ),
    "trailers that route or concern the connection": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n",
        False,
    ),
    "over 100 fields, 64 KiB of head, 16 KiB of target": (
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 100 + b"\r\n",
        False,
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_listed_differences_are_real(name: str) -> None:
    raw, ours = DIFFERENCES[name]
    assert request(raw).accepted is ours
    assert llhttp(raw, httptools.HttpRequestParser).accepted is not ours


RESPONSE_DIFFERENCES: dict[str, bytes] = {
    "HTTP/0.9 and HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status codes under 100": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "control characters in the reason": b"HTTP/1.1 200 \x01\r\nContent-Length: 0\r\n\r\n",
    "empty lines before a response": b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "Transfer-Encoding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "other transfer codings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", RESPONSE_DIFFERENCES)
def test_the_listed_differences_in_responses_are_real(name: str) -> None:
    raw = RESPONSE_DIFFERENCES[name]
    assert not response(raw).accepted
    assert llhttp(raw, httptools.HttpResponseParser).accepted


BITS = st.sampled_from(b'\r|\n|\r\n| |\t|:|\0|;|,|=|"|0|A|\x80||#'.split(b"|"))
FIELDS = st.sampled_from(
    [
        b"A: b", b"A:", b"A:\tb ", b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: 05",
        b"Content-Length: 5, 5", b"Content-Length: +5", b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked ",
        b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: identity",
        b"Connection: close", b"Connection: keep-alive", b"Connection: ,", b"Cookie: \xff\x80", b" A: b", b"A : b",
        b"A b: c", b"A", b": b", b"Content-Length : 5", b"Content-Length:5", b"Expect: 100-continue", b"TE: trailers",
    ]
)  # fmt: skip
BODIES = st.sampled_from(
    [
        b"", b"hello", b"hell", b"5\r\nhello\r\n0\r\n\r\n", b"05;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n", b"0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b'5;a="b"\r\nhello\r\n0\r\n\r\n',
        b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n A: b\r\n\r\n",
    ]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, start: st.SearchStrategy[bytes], all_of_it: bool = False) -> bytes:
    """A message with up to two faults; only `all_of_it` has them in what `start` gives, too."""
    begin = draw(start)
    lines = [begin, *draw(st.lists(FIELDS, max_size=4))]
    raw = b"\r\n".join(lines) + b"\r\n\r\n" + draw(BODIES)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0 if all_of_it else len(begin), len(raw)))
        raw = raw[:at] + draw(BITS) + raw[at + draw(st.integers(0, 2)) :]
    return raw


STARTS = st.builds(
    lambda method, target, minor: b"%b %b HTTP/1.%d\r\nHost: a" % (method, target, minor),
    st.sampled_from([m for m in METHODS if m != b"CONNECT"]),
    st.sampled_from([b"/", b"/a?b", b"http://a/b", b"/a%20b"]),
    st.integers(0, 1),
)
REQUESTS = mutated(STARTS)
RESPONSES = mutated(
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 404 Not Found", b"HTTP/1.1 200", b"HTTP/1.1 999 X"]), all_of_it=True
)


@given(mutated(STARTS, all_of_it=True))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
def test_requests_that_we_accept_llhttp_accepts_with_the_same_body(raw: bytes) -> None:
    ours = request(raw)
    if ours.accepted and raw.split(b" ")[0].lstrip(b"\r\n") in METHODS:
        theirs = llhttp(raw[: len(raw) - ours.beyond], httptools.HttpRequestParser)
        assert (theirs.accepted, theirs.body) == (True, ours.body)


@given(REQUESTS)
def test_requests_that_llhttp_accepts_we_accept_or_list(raw: bytes) -> None:
    theirs, ours = llhttp(raw, httptools.HttpRequestParser), request(raw)
    if theirs.accepted and not ours.accepted:
        assert explained(raw), raw
    elif theirs.accepted:
        assert ours.body == theirs.body or theirs.body.startswith(ours.body)


def explained(raw: bytes) -> bool:
    """Whether one of the `DIFFERENCES` in fields or body is why we refuse."""
    head, _, body = raw.lower().partition(b"\r\n\r\n")
    codings = b",".join(re.findall(rb"\r\ntransfer-encoding:([^\r]*)", head))
    return (
        (bool(codings) and (b" http/1.0\r\n" in head or codings.strip(b" \t,") != b"chunked"))
        or head.count(b"\r\nhost:") != 1
        or re.search(rb"\r\nhost:[ \t]*a[ \t]*(\r\n|$)", head) is None
        or re.search(rb"=[\r;]", body) is not None
        or re.search(rb"\r\n(host|connection|te|trailer|upgrade):", body) is not None
    )


@given(RESPONSES)
def test_responses_that_we_accept_llhttp_accepts_with_the_same_body(raw: bytes) -> None:
    ours = response(raw)
    if ours.accepted and read_response(raw[: raw.find(b"\r\n\r\n") + 4]).length != UNTIL_CLOSE:
        theirs = llhttp(raw[: len(raw) - ours.beyond], httptools.HttpResponseParser)
        assert (theirs.accepted, theirs.body) == (True, ours.body)
