"""The conduit: whatever happens to the sink, nothing is lost and nothing stays in the pipe."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mesh.conduit import BULK, Conduit
from mesh.connector import close_with_reset


@pytest.fixture
def conduit() -> Iterator[Conduit]:
    made = Conduit()
    yield made
    made.close()


Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[tuple[Pair, Pair]]:
    """A source with who writes to it, and a sink with who reads from it."""
    lines: list[socket.socket] = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as server:
            lines.append(socket.create_connection(server.getsockname()))
            lines.append(server.accept()[0])
    for line in lines:
        line.setblocking(False)
    yield (lines[0], lines[1]), (lines[2], lines[3])
    for line in lines:
        line.close()


def readable(line: socket.socket) -> None:
    line.setblocking(True)
    line.recv(1, socket.MSG_PEEK)
    line.setblocking(False)


def test_what_is_there_is_moved(conduit: Conduit, pairs: tuple[Pair, Pair]) -> None:
    (writer, source), (sink, reader) = pairs
    for data in (b"x", os.urandom(100_000)):
        writer.send(data)
        got = b""
        while len(got) < len(data):
            readable(source)
            came, left, error = conduit.move(source.fileno(), sink.fileno())
            assert (left, error) == (b"", None)
            readable(reader)
            got += reader.recv(came)
        assert got == data


def test_nothing_there(conduit: Conduit, pairs: tuple[Pair, Pair]) -> None:
    (_, source), (sink, _) = pairs
    with pytest.raises(BlockingIOError):
        conduit.move(source.fileno(), sink.fileno())


def test_the_end_of_the_stream(conduit: Conduit, pairs: tuple[Pair, Pair]) -> None:
    (writer, source), (sink, _) = pairs
    writer.shutdown(socket.SHUT_WR)
    readable(source)
    assert conduit.move(source.fileno(), sink.fileno()) == (0, b"", None)


def test_a_source_that_was_reset(conduit: Conduit, pairs: tuple[Pair, Pair]) -> None:
    (writer, source), (sink, _) = pairs
    close_with_reset(writer)
    with pytest.raises(ConnectionResetError):
        conduit.move(source.fileno(), sink.fileno())


def test_what_a_full_sink_does_not_take_comes_back(conduit: Conduit, pairs: tuple[Pair, Pair]) -> None:
    (writer, source), (sink, reader) = pairs
    filler = 0
    with suppress(BlockingIOError):
        while True:
            filler += sink.send(b"f" * 65536)
    data = os.urandom(50_000)
    writer.send(data)
    readable(source)
    came, left, error = conduit.move(source.fileno(), sink.fileno())
    assert error is None
    assert 0 < came <= BULK
    assert data[:came].endswith(left)
    assert left
    reader.setblocking(True)
    rest = filler + came - len(left)
    while rest:
        rest -= len(reader.recv(min(rest, 2**20)))
    assert_empty(conduit)


def test_a_sink_that_is_gone_leaves_nothing_in_the_pipe(conduit: Conduit, pairs: tuple[Pair, Pair]) -> None:
    (writer, source), (sink, _) = pairs
    sink.shutdown(socket.SHUT_WR)
    writer.send(b"too late")
    readable(source)
    came, left, error = conduit.move(source.fileno(), sink.fileno())
    assert (came, left) == (8, b"too late")
    assert isinstance(error, BrokenPipeError)
    assert_empty(conduit)


def assert_empty(conduit: Conduit) -> None:
    with pytest.raises(BlockingIOError):
        os.read(conduit._exit, 1)


def test_it_closes_its_pipe() -> None:
    before = len(os.listdir("/proc/self/fd"))
    Conduit().close()
    assert len(os.listdir("/proc/self/fd")) == before
