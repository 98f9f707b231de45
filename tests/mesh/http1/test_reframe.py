"""Every body length, for clients of both versions."""

from __future__ import annotations

import pytest

from mesh.http1.body import EncodedBody, EndlessBody, LengthBody
from mesh.http1.chunked import ChunkedBody
from mesh.http1.reframe import reframe
from mesh.http1.response import read_response

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Length: 5\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE = OK + b"\r\n"


@pytest.mark.parametrize(
    ("head", "minor", "body", "framing", "persistent"),
    [
        (LENGTH, 1, LengthBody, b"Content-Length: 5\r\n", True),
        (LENGTH, 0, LengthBody, b"Content-Length: 5\r\nConnection: keep-alive\r\n", True),
        (CHUNKED, 1, ChunkedBody, b"Transfer-Encoding: chunked\r\n", True),
        (CHUNKED, 0, ChunkedBody, b"Connection: close\r\n", False),
        (CLOSE, 1, EncodedBody, b"Transfer-Encoding: chunked\r\n", True),
        (CLOSE, 0, EndlessBody, b"Connection: close\r\n", False),
    ],
)
def test_framing(head: bytes, minor: int, body: type, framing: bytes, persistent: bool) -> None:
    lines, follows, stays = reframe(read_response(head), head, False, minor, True)
    assert (lines, type(follows), stays) == (OK + framing + b"\r\n", body, persistent)
    lines, _, stays = reframe(read_response(head), head, False, minor, False)
    assert lines.endswith(b"\r\nConnection: close\r\n\r\n")
    assert not stays


def test_the_answer_to_head_keeps_its_length_and_has_no_body() -> None:
    lines, body, persistent = reframe(read_response(LENGTH), LENGTH, True, 1, True)
    assert (lines, body.complete, persistent) == (LENGTH, True, True)
