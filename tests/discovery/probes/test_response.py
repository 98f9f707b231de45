from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.probes.response import BODY_LIMIT, HEAD_LIMIT, Response, ResponseReader


def never(reply: bytes) -> None:
    raise AssertionError("an HTTP probe has nothing more to say")


def read(*pieces: bytes, closes: bool = False) -> Response | None:
    reader = ResponseReader(b"")
    for piece in pieces:
        response = reader.received(piece, never)
        if response is not None:
            return response
    return reader.ended() if closes else None


COMPLETE = [
    ("a counted body", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
    ("no body by its length", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 503),
    ("204 has no body", b"HTTP/1.1 204 None\r\n\r\n", 204),
    ("304 has none even with a length", b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", 304),
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
    ("an interim response before", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", 200),
    ("bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200),
    ("no reason phrase", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200),
    ("HTTP/1.0", b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404),
]


@pytest.mark.parametrize(("case", "answer", "status"), COMPLETE)
def test_complete_answers(case: str, answer: bytes, status: int) -> None:
    assert read(answer) == Response(status), case
    assert read(answer[:-1]) is None, "not before its last byte"


@pytest.mark.parametrize(("case", "answer", "status"), COMPLETE)
def test_bytes_may_come_one_by_one(case: str, answer: bytes, status: int) -> None:
    assert read(*(answer[i : i + 1] for i in range(len(answer)))) == Response(status), case


@pytest.mark.parametrize(
    ("case", "answer", "closes", "fault"),
    [
        ("another protocol", b"SSH-2.0-OpenSSH_9\r\n\r\n", False, "not an HTTP/1 response"),
        ("HTTP/2", b"HTTP/2.0 200 OK\r\n\r\n", False, "not an HTTP/1 response"),
        ("a status of two digits", b"HTTP/1.1 20 OK\r\n\r\n", False, "not an HTTP/1 response"),
        ("an odd length", b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", False, "invalid Content-Length"),
        ("nothing", b"", True, "connection closed without a response"),
        ("half a head", b"HTTP/1.1 200 OK\r\nCon", True, "connection closed in the middle of the response head"),
        ("an endless head", b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_LIMIT, False, "response head over 64 KiB"),
        (
            "half a body",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
            True,
            "HTTP 200, but its body was cut short",
        ),
        (
            "half a chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok",
            True,
            "HTTP 200, but its body was cut short",
        ),
    ],
)
def test_faults(case: str, answer: bytes, closes: bool, fault: str) -> None:
    response = read(answer, closes=closes)
    assert response is not None, case
    assert response.fault == fault, case


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    assert read(b"HTTP/1.1 200 OK\r\n\r\nsome") is None
    assert read(b"HTTP/1.1 200 OK\r\n\r\nsome", closes=True) == Response(200)


@pytest.mark.parametrize("framing", [b"", b"Content-Length: 99999999\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_only_the_beginning_of_a_huge_body_is_read(framing: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n"
    assert read(head, b"x" * (BODY_LIMIT - 1)) is None
    assert read(head, b"x" * BODY_LIMIT) == Response(200)


def test_location_is_kept() -> None:
    assert read(b"HTTP/1.1 302 Found\r\nLOCATION:  /there \r\nContent-Length: 0\r\n\r\n") == Response(302, "/there")


@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
def test_no_bytes_raise(pieces: list[bytes], status_first: bool) -> None:
    read(*([b"HTTP/1.1 200 OK\r\n"] if status_first else []), *pieces, closes=True)
