"""The switchboard: what passes unasked, what handlers are told, and that one that fails ends no other."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP

import pytest
import pytest_asyncio

from mesh.connector import reset_on_close
from mesh.switchboard import BROKEN, CHUNK, Switchboard
from tests.mesh.relaying import until

pytestmark = pytest.mark.both_loops


class Recorder:
    """A handler that notes what it is told, and may do more."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int]] = []
        self.leftovers: list[tuple[int, bytes]] = []
        self.error: Exception | None = None

    def on_event(self, fd: int, events: int) -> None:
        self.events.append((fd, events))
        error, self.error = self.error, None
        if error is not None:
            raise error

    def on_leftover(self, fd: int, data: bytes) -> None:
        self.leftovers.append((fd, data))

    def saw(self, fd: int, events: int) -> bool:
        return any(at == fd and seen & events for at, seen in self.events)


class Patch:
    """A switchboard between two pairs of sockets: outside a - a inside, inside b - b outside."""

    def __init__(self) -> None:
        self.board = Switchboard(asyncio.get_running_loop())
        self.handler = Recorder()
        self.out_a, self.a = _tcp_pair()
        self.b, self.out_b = _tcp_pair()
        for line in (self.a, self.b):
            self.board.watch(line.fileno(), self.handler)
        self.board.join(self.a.fileno(), self.b.fileno())
        self.board.join(self.b.fileno(), self.a.fileno())

    def close(self) -> None:
        self.board.close()
        for line in (self.out_a, self.a, self.b, self.out_b):
            line.close()


def _tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    for line in (one, other):
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one, other


@pytest_asyncio.fixture
async def patch() -> AsyncIterator[Patch]:
    made = Patch()
    yield made
    made.close()
    gc.collect()


def fill(line: socket.socket) -> None:
    """Send until no more is taken."""
    with suppress(BlockingIOError):
        while True:
            line.send(b"x" * 65536)


async def received(line: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    async with asyncio.timeout(5):
        while len(data) < count:
            data += await loop.sock_recv(line, 65536)
    return data


async def test_little_passes_unasked_and_is_counted(patch: Patch) -> None:
    await asyncio.sleep(0.02)
    patch.handler.events.clear()
    for _ in range(5):
        patch.out_a.send(b"question")
        assert await received(patch.out_b, 8) == b"question"
        patch.out_b.send(b"answer")
        assert await received(patch.out_a, 6) == b"answer"
    assert patch.handler.events == []
    assert (patch.board.moved[patch.a.fileno()], patch.board.moved[patch.b.fileno()]) == (40, 30)


async def test_bytes_that_were_there_before(patch: Patch) -> None:
    patch.out_a.send(b"early")
    assert await received(patch.out_b, 5) == b"early"


async def test_the_end_of_a_stream_is_told(patch: Patch) -> None:
    patch.out_a.send(b"last")
    patch.out_a.shutdown(socket.SHUT_WR)
    await until(lambda: patch.handler.saw(patch.a.fileno(), EPOLLRDHUP))


async def test_a_reset_is_told(patch: Patch) -> None:
    reset_on_close(patch.out_a)
    patch.out_a.close()
    await until(lambda: patch.handler.saw(patch.a.fileno(), EPOLLERR | EPOLLHUP))


async def test_much_is_the_handlers_business(patch: Patch) -> None:
    await asyncio.sleep(0.02)
    data = b"x" * CHUNK
    patch.out_a.send(data)
    assert await received(patch.out_b, len(data)) == data
    assert patch.handler.leftovers == [(patch.a.fileno(), b"")]


async def test_what_the_peer_does_not_take_is_left_over(patch: Patch) -> None:
    await asyncio.sleep(0.02)
    fill(patch.b)
    patch.out_a.send(b"no room for this")
    await until(lambda: patch.handler.leftovers)
    fd = patch.a.fileno()
    assert patch.handler.leftovers == [(fd, b"no room for this")]
    assert patch.board.moved[fd] == 16


async def test_parted_ones_are_told(patch: Patch) -> None:
    await asyncio.sleep(0.02)
    patch.handler.events.clear()
    patch.board.part(patch.a.fileno())
    patch.out_a.send(b"for the handler")
    await until(lambda: patch.handler.saw(patch.a.fileno(), EPOLLIN))
    assert patch.a.recv(100) == b"for the handler"


async def test_again_comes_after_others(patch: Patch) -> None:
    await asyncio.sleep(0.02)
    patch.handler.events.clear()
    patch.board.again(patch.a.fileno(), patch.handler)
    patch.board.again(patch.b.fileno(), patch.handler)
    assert patch.handler.events == []
    await until(lambda: len(patch.handler.events) == 2)
    assert patch.handler.events == [(patch.a.fileno(), EPOLLIN), (patch.b.fileno(), EPOLLIN)]


async def test_again_is_not_for_those_who_left(patch: Patch) -> None:
    await asyncio.sleep(0.02)
    patch.handler.events.clear()
    patch.board.again(patch.a.fileno(), patch.handler)
    patch.board.forget(patch.a.fileno())
    await asyncio.sleep(0.02)
    assert patch.handler.events == []


async def test_who_is_forgotten_hears_nothing(patch: Patch) -> None:
    await asyncio.sleep(0.02)
    patch.board.forget(patch.a.fileno())
    patch.handler.events.clear()
    patch.out_a.send(b"anyone?")
    await asyncio.sleep(0.05)
    assert not any(at == patch.a.fileno() for at, _ in patch.handler.events)
    assert patch.a.recv(100) == b"anyone?"


@pytest.mark.parametrize("error", [ZeroDivisionError(), ConnectionError()], ids=["bug", "socket"])
async def test_a_handler_that_fails_ends_no_other(
    patch: Patch, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.sleep(0.02)
    failing, fine = Recorder(), Recorder()
    one, other = _tcp_pair(), _tcp_pair()
    for (_, inside), handler in ((one, failing), (other, fine)):
        patch.board.watch(inside.fileno(), handler)
    await asyncio.sleep(0.02)
    failing.error = error
    failing.events.clear()
    fine.events.clear()
    with caplog.at_level(logging.ERROR):
        for outside, _ in (one, other):
            outside.send(b"x")
        await until(lambda: failing.saw(one[1].fileno(), BROKEN) and fine.saw(other[1].fileno(), EPOLLIN))
    assert ("a fault of weft's own" in caplog.text) is isinstance(error, ZeroDivisionError)
    for line in (*one, *other):
        line.close()


async def test_a_number_is_not_given_again_while_events_are_at_hand(patch: Patch) -> None:
    """Two lines end in one batch; the first handler closes both and opens a new one."""

    class Closer(Recorder):
        lines: list[socket.socket]
        opened: list[socket.socket]

        def on_event(self, fd: int, events: int) -> None:
            super().on_event(fd, events)
            if events & EPOLLRDHUP and self.lines:
                for line in self.lines:
                    patch.board.hang_up(line.fileno(), line)
                self.lines = []
                self.opened = [socket.socket(), socket.socket()]

    await asyncio.sleep(0.02)
    closer = Closer()
    one, other = _tcp_pair(), _tcp_pair()
    closer.lines = [one[1], other[1]]
    closer.opened = []
    numbers = {line.fileno() for line in closer.lines}
    for line in closer.lines:
        patch.board.watch(line.fileno(), closer)
    await asyncio.sleep(0.02)
    for outside in (one[0], other[0]):
        outside.shutdown(socket.SHUT_WR)
    await until(lambda: closer.opened)
    assert not numbers & {line.fileno() for line in closer.opened}
    await until(lambda: one[1].fileno() == other[1].fileno() == -1)
    for line in (one[0], other[0], *closer.opened):
        line.close()


async def test_writable_is_told_once_there_is_room(patch: Patch) -> None:
    await asyncio.sleep(0.02)
    fill(patch.b)
    patch.handler.events.clear()
    async with asyncio.timeout(5):
        while not patch.handler.saw(patch.b.fileno(), EPOLLOUT):
            with suppress(BlockingIOError):
                patch.out_b.recv(2**20)
            await asyncio.sleep(0.001)
