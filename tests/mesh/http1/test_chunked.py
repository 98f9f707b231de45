"""The chunked coding: what is refused, what is handed on, however the bytes were split."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mesh.http1.chunked import MAX_LINE, MAX_TRAILER, ChunkedBody
from mesh.http1.errors import Malformed
from mesh.reasons import BAD_REQUEST

END = b"0\r\n\r\n"


def feed(raw: bytes, cut: list[int], decode: bool = False) -> tuple[bytes, bool, bytes]:
    body = ChunkedBody(BAD_REQUEST, decode)
    out, bounds = [], [0, *cut, len(raw)]
    for start, end in pairwise(bounds):
        if body.complete:
            return b"".join(out), True, body.rest + raw[start:]
        if start < end:
            out += body.feed(raw[start:end])
    return b"".join(out), body.complete, body.rest


GOOD: dict[str, tuple[bytes, bytes]] = {
    "empty": (END, b""),
    "zeros": (b"0000\r\n\r\n", b""),
    "one chunk": (b"5\r\nhello\r\n" + END, b"hello"),
    "two chunks": (b"5\r\nhello\r\n1\r\n!\r\n" + END, b"hello!"),
    "hexadecimal": (b"00A\r\n0123456789\r\na\r\n0123456789\r\n" + END, b"0123456789" * 2),
    "data that looks like framing": (b"7\r\n0\r\n\r\n\r\n\r\n" + END, b"0\r\n\r\n\r\n"),
    "extensions": (b'5;a;b=c;d="e;\\"f\\x\x80 \t"\r\nhello\r\n0;x\r\n\r\n', b"hello"),
    "trailers": (b"0\r\nA: b\r\nC:\r\n\r\n", b""),
    "line feeds in data": (b"3\r\n\n\n\n\r\n" + END, b"\n\n\n"),
}

BAD: dict[str, bytes] = {
    "empty size": b"\r\nhello\r\n",
    "no size": b";a\r\nhello\r\n",
    "word": b"xyz\r\n",
    "0x": b"0x5\r\nhello\r\n",
    "sign": b"+5\r\nhello\r\n",
    "minus zero": b"-0\r\n\r\n",
    "underscore": b"1_0\r\n",
    "fullwidth digit": b"\xef\xbc\x95\r\n",
    "leading space": b" 5\r\nhello\r\n",
    "trailing space": b"5 \r\nhello\r\n",
    "space before extension": b"5 ;a\r\nhello\r\n",
    "bare LF": b"5\nhello\r\n",
    "CR CR LF": b"5\r\r\nhello\r\n",
    "overflow": b"ffffffffffffffffff\r\n",
    "2**63": b"8000000000000000\r\n",
    "over 32 digits": b"0" * 33 + b"\r\n\r\n",
    "empty extension": b"5;\r\nhello\r\n",
    "two semicolons": b"5;;a\r\nhello\r\n",
    "extension without value": b"5;a=\r\nhello\r\n",
    "extension with NUL": b"5;a\0\r\nhello\r\n",
    "extension with space": b"5; a\r\nhello\r\n",
    "open quote": b'5;a="b\r\nhello\r\n',
    "quote after value": b'5;a=b"c"\r\nhello\r\n',
    "control in quotes": b'5;a="\x01"\r\nhello\r\n',
    "bare CR in extension": b"5;a\rb\r\nhello\r\n",
    "data too long": b"5\r\nhello!\r\n" + END,
    "data too short": b"5\r\nhell\r\n" + END,
    "data without CRLF": b"5\r\nhello0\r\n\r\n",
    "data with LF": b"5\r\nhello\n" + END,
    "trailer without colon": b"0\r\nA\r\n\r\n",
    "trailer with space": b"0\r\nA : b\r\n\r\n",
    "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "trailer with NUL": b"0\r\nA: \0\r\n\r\n",
    "trailer with bare LF": b"0\r\nA: b\n\r\n",
    "length as trailer": b"0\r\nContent-Length: 5\r\n\r\n",
    "coding as trailer": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "Host as trailer": b"0\r\nHost: a\r\n\r\n",
    "long line": b"1;" + b"a" * MAX_LINE,
    "long trailer": b"0\r\n" + (b"A: " + b"b" * 1000 + b"\r\n") * (MAX_TRAILER // 1000 + 1),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_bodies_are_handed_on_as_they_came_however_split(name: str) -> None:
    raw, data = GOOD[name]
    whole = raw + b"next"
    for cut in [[], *([at] for at in range(1, len(raw))), list(range(1, len(whole)))]:
        assert feed(whole, cut) == (raw, True, b"next")
        assert feed(whole, cut, decode=True) == (data, True, b"next")
    for end in range(len(raw)):
        out, complete, _ = feed(raw[:end], [])
        assert raw.startswith(out)
        assert not complete


@pytest.mark.parametrize("name", BAD)
def test_bad_bodies_are_refused_however_split(name: str) -> None:
    raw = BAD[name]
    short = len(raw) < 100
    for cut in [[], *([at] for at in range(1, len(raw) if short else 1)), list(range(1, len(raw) if short else 1))]:
        with pytest.raises(Malformed):
            feed(raw, cut)


def test_a_bad_line_is_never_handed_on() -> None:
    body = ChunkedBody(BAD_REQUEST)
    assert body.feed(b"5\r\nhello\r\n5;a=") == (b"5\r\nhello\r\n",)
    with pytest.raises(Malformed):
        body.feed(b"\r\n")


def test_what_is_good_in_one_read_is_not_copied() -> None:
    raw = b"5\r\nhello\r\n" + END
    assert ChunkedBody(BAD_REQUEST).feed(raw)[0] is raw
