"""Answers in all framings, cut at every byte."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.load.client import Connection

ANSWERS = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, True),
    "empty": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, True),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, True),
    "closing": (b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", 503, False),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, True),
}


class Log:
    """Stands for the generator, and for the transport."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def opened(self, connection: Connection) -> None:
        self.events.append(("opened",))

    def answered(self, connection: Connection, status: int, reusable: bool) -> None:
        self.events.append(("answered", status, reusable))

    def failed(self, connection: Connection, error: str) -> None:
        self.events.append(("failed", error))

    def write(self, data: bytes) -> None:
        self.events.append(("write", data))

    def abort(self) -> None:
        self.events.append(("abort",))

    def close(self) -> None:
        self.events.append(("close",))


def talking(head_only: bool = False) -> tuple[Connection, Log]:
    log = Log()
    connection = Connection(log, head_only)
    connection.connection_made(log)  # type: ignore[arg-type]
    connection.send(b"request", 1.0, 1.5)
    assert log.events == [("opened",), ("write", b"request")]
    log.events.clear()
    return connection, log


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_cut_at_every_byte(name: str) -> None:
    answer, status, reusable = ANSWERS[name]
    for cut in range(1, len(answer)):
        connection, log = talking()
        connection.data_received(answer[:cut])
        connection.data_received(answer[cut:])
        assert log.events[-1] == ("answered", status, reusable), cut
        assert (("close",) in log.events) is not reusable


def test_an_answer_to_head_has_no_body() -> None:
    connection, log = talking(head_only=True)
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert log.events == [("answered", 200, True)]


def test_a_body_until_close_ends_with_the_connection() -> None:
    connection, log = talking()
    connection.data_received(b"HTTP/1.0 200 OK\r\n\r\nhel")
    connection.data_received(b"lo")
    connection.connection_lost(None)
    assert ("answered", 200, False) in log.events


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"nonsense\r\n\r\n", ANSWERS["length"][0] + b"!"]
)
def test_what_is_malformed_is_an_error(answer: bytes) -> None:
    connection, log = talking()
    connection.data_received(answer)
    assert log.events == [("abort",), ("failed", "malformed")]


def test_bytes_that_nobody_asked_for_are_an_error() -> None:
    connection, log = talking()
    connection.data_received(ANSWERS["length"][0])
    connection.data_received(b"HTTP/1.1 200 OK\r\n")
    assert log.events[-1] == ("failed", "malformed")


def test_a_cut_answer_is_an_error() -> None:
    connection, log = talking()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
    connection.connection_lost(None)
    assert log.events == [("failed", "closed")]


def test_an_end_before_the_first_request_is_told() -> None:
    log = Log()
    connection = Connection(log)
    connection.connection_made(log)  # type: ignore[arg-type]
    connection.connection_lost(None)
    assert log.events == [("opened",), ("failed", "closed")]


def test_a_request_on_a_connection_that_is_closing_fails() -> None:
    log = Log()
    log.closing = True
    connection = Connection(log)
    connection.connection_made(log)  # type: ignore[arg-type]
    connection.send(b"request", 1.0, 1.5)
    connection.connection_lost(None)
    assert log.events == [("opened",), ("failed", "closed")]
