"""Who is at the other end is found out once per connection."""

from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest

from mesh.peer import Ends, Introduced, Peer, plain, within
from tests.mesh.dialogue import OK, answering, mesh


@pytest.mark.parametrize(
    ("trusted", "believed"), [("", False), ("127.0.0.0/8", True), ("10.0.0.0/8", False), ("::/0", False)]
)
async def test_trust(trusted: str, believed: bool) -> None:
    async with mesh(answering(OK), trusted=trusted) as world:
        await world.dial()
        await world.wait(lambda: bool(world.proxy.clients))
        peer = world.clients[0].peer
        assert isinstance(peer, Peer)
        assert (peer.address, peer.trusted, peer.learned) == ("127.0.0.1", believed, "socket")


def test_an_introduced_socket_tells_of_the_connection_that_it_stands_for() -> None:
    one, other = socket.socketpair()
    with one:
        line = Introduced(other, Ends(("192.0.2.1", 5), ("192.0.2.2", 80)))
        assert (line.getpeername(), line.getsockname()) == (("192.0.2.1", 5), ("192.0.2.2", 80))
        assert other.fileno() == -1
        with pytest.raises(BlockingIOError):
            line.recv(1)
        one.send(b"x")
        assert line.recv(1) == b"x"
        line.close()


@pytest.mark.parametrize(
    ("address", "network", "inside"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("fe80::1%eth0", "fe80::/10", True),
        ("10.1.2.3", "::/0", False),
        ("::1", "0.0.0.0/0", False),
    ],
)
def test_within(address: str, network: str, inside: bool) -> None:
    assert within(address, (ip_network("192.0.2.1/32"), ip_network(network))) is inside
    assert not within(address, ())


@pytest.mark.parametrize(
    ("address", "written"), [("::ffff:192.0.2.1", "192.0.2.1"), ("192.0.2.1",) * 2, ("2001:db8::1",) * 2]
)
def test_plain(address: str, written: str) -> None:
    assert plain(address) == written
