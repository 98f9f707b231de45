"""Connecting: what begins, how it ends, and whose fault it is."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket

import pytest

from mesh.connector import associate, close_with_reset, dial, ours, outcome, peer_address, unread
from mesh.sockets import listen
from tests.mesh.relaying import closed_port


def decided(line: socket.SocketType) -> OSError | None:
    poll = select.poll()
    poll.register(line.fileno(), select.POLLOUT)
    assert poll.poll(5000)
    return outcome(line)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_connected(address: str) -> None:
    with listen(address, 0) as listening:
        line = dial(address, listening.getsockname()[1])
        try:
            assert decided(line) is None
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert not os.get_inheritable(line.fileno())
            assert not os.get_blocking(line.fileno())
        finally:
            line.close()


def test_refused() -> None:
    line = dial("127.0.0.1", closed_port())
    error = decided(line)
    line.close()
    assert error is not None
    assert error.errno == errno.ECONNREFUSED
    assert not ours(error)


@pytest.mark.parametrize("host", ["db.example.com", "localhost", "", "1", "256.1.1.1"])
def test_names_are_not_resolved(host: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="is not an IP address"):
        dial(host, 80)
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_unreachable_address_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"unreachable|denied|permitted"):
        dial("255.255.255.255", 80)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("number", "own"),
    [(errno.EMFILE, True), (errno.ENFILE, True), (errno.EADDRNOTAVAIL, True), (errno.ETIMEDOUT, False)],
)
def test_whose_fault(number: int, own: bool) -> None:
    assert ours(OSError(number, "")) is own


def test_a_reset_is_seen_as_one() -> None:
    with listen("127.0.0.1", 0) as listening:
        line = dial("127.0.0.1", listening.getsockname()[1])
        assert decided(line) is None
        with listening.accept()[0] as accepted:
            close_with_reset(line)
            with pytest.raises(ConnectionResetError):
                accepted.recv(1)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_association_hears_of_its_endpoint_alone(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as endpoint, socket.socket(family, socket.SOCK_DGRAM) as stranger:
        endpoint.bind((address, 0))
        line = associate(address, endpoint.getsockname()[1])
        try:
            assert not os.get_blocking(line.fileno())
            assert not os.get_inheritable(line.fileno())
            stranger.sendto(b"psst", line.getsockname())
            endpoint.sendto(b"hello", line.getsockname())
            assert select.select([line], [], [], 5)[0]
            assert line.recv(100) == b"hello"
            with pytest.raises(BlockingIOError):
                line.recv(100)
        finally:
            line.close()


def test_no_association_with_a_name_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="is not an IP address"):
        associate("localhost", 53)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_address_of_a_peer_that_may_be_gone() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()) as client:
        accepted, _ = listening.accept()
        assert peer_address(accepted) == client.getsockname()[0]
        accepted.close()
        assert peer_address(accepted) == ""


class Lost(asyncio.BaseTransport):
    """A transport whose connection was broken off."""

    def __init__(self, line: socket.socket | None, *, secure: bool = False) -> None:
        super().__init__({"socket": line, "sslcontext": secure or None})


def test_what_was_not_read_before_the_other_end_broke_off() -> None:
    with listen("127.0.0.1", 0) as listening:
        listening.setblocking(True)
        line = dial("127.0.0.1", listening.getsockname()[1])
        other, _ = listening.accept()
        other.sendall(b"last words")
        close_with_reset(other)
        assert unread(Lost(line, secure=True)) == b""
        assert unread(Lost(line)) == b"last words"
        assert unread(Lost(line)) == b""
        line.close()
        assert unread(Lost(line)) == unread(Lost(None)) == b""
