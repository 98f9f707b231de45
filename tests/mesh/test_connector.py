"""Connecting: what begins, how it ends, and whose fault it is."""

from __future__ import annotations

import errno
import os
import select
import socket

import pytest

from mesh.connector import close_with_reset, dial, ours, outcome
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
