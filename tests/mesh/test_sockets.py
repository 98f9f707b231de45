"""Listening sockets: where they are bound, and what is said when they cannot be."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from mesh.sockets import BindError, Bound, bind, listen
from mesh.table import ListenerKey, Transport

PRIVILEGED_START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def option(line: socket.socket, level: int, name: int) -> int:
    return line.getsockopt(level, name)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.96.1.2", "::1"])
def test_a_free_address_is_bound_with_its_options(address: str) -> None:
    bound = bind(ListenerKey(address, 0))
    with bound.socket as listening:
        assert listening.getsockname()[:2] == bound.key[:2]
        assert bound.key.address == address
        assert not bound.reason
        assert not listening.get_inheritable()
        assert not listening.getblocking()
        assert option(listening, socket.SOL_SOCKET, socket.SO_REUSEADDR)
        assert option(listening, socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with socket.create_connection(listening.getsockname()[:2], 5), listening.accept()[0] as accepted:
            assert option(accepted, socket.IPPROTO_TCP, socket.TCP_NODELAY), "what is accepted inherits it"


def test_a_taken_port_names_what_to_change() -> None:
    with listen("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        with pytest.raises(BindError, match=rf"127.0.0.1:{port} is taken by another program .*spec.nodeAddresses"):
            bind(ListenerKey("127.0.0.1", port), "NodePort")


def test_a_wildcard_listener_takes_all_addresses() -> None:
    with listen("0.0.0.0", 0) as other:
        port = other.getsockname()[1]
        with pytest.raises(BindError, match=rf"one that listens on 0.0.0.0:{port} takes it too.*spec.clusterIP"):
            bind(ListenerKey("127.96.1.2", port), "ClusterIP")


def test_an_address_of_another_machine() -> None:
    with pytest.raises(BindError, match=r"192.0.2.1 is not an address of this machine: .*spec.ingress"):
        bind(ListenerKey("192.0.2.1", 0), "Ingress")


@pytest.mark.parametrize("transport", ["TCP", "UDP"])
def test_an_address_that_only_a_route_leads_to(transport: Transport) -> None:
    """Linux asks no more of IPv6 than that it is said; what is outside the range is of another machine as before."""
    routed = ip_network("2001:db8::/64")
    with bind(ListenerKey("2001:db8::7", 0, transport), routed=routed).socket as made:
        assert made.getsockname()[0] == "2001:db8::7"
    with pytest.raises(BindError, match="is not an address of this machine"):
        bind(ListenerKey("2001:db8:1::7", 0, transport), routed=routed)


def test_a_failed_bind_leaves_no_descriptor() -> None:
    with listen("127.0.0.1", 0) as other:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with pytest.raises(BindError):
                bind(ListenerKey("127.0.0.1", other.getsockname()[1]))
        assert len(os.listdir("/proc/self/fd")) == before


class Opener:
    """A machine on which ports under 1024 need a right, and `taken` ones are taken."""

    def __init__(self, *taken: int, error: int = errno.EADDRINUSE) -> None:
        self.taken = taken
        self.error = error
        self.asked: list[int] = []

    def __call__(self, address: str, port: int) -> socket.socket:
        self.asked.append(port)
        if 0 < port < 1024:
            raise PermissionError(errno.EACCES, "Permission denied")
        if port in self.taken:
            raise OSError(self.error, os.strerror(self.error))
        return listen(address, 0)


def test_a_privileged_port_is_served_nearby_and_says_how_to_change_that() -> None:
    opener = Opener()
    bound = bind(ListenerKey("127.0.0.1", 80), opener=opener)
    bound.socket.close()
    assert opener.asked == [80, 8080]
    for words in ("port 80 needs a right", "ip_unprivileged_port_start=80", "setcap cap_net_bind_service", "Ambient"):
        assert words in bound.reason


def test_a_privileged_port_whose_neighbour_is_taken_gets_any() -> None:
    opener = Opener(8443)
    bound = bind(ListenerKey("127.0.0.1", 443), opener=opener)
    bound.socket.close()
    assert opener.asked == [443, 8443, 0]
    assert bound.key.port >= 1024


def test_a_privileged_port_of_which_nothing_near_can_be_bound() -> None:
    opener = Opener(8080, 0, error=errno.EADDRNOTAVAIL)
    with pytest.raises(BindError, match=r"port 80 needs a right .*; and 127.0.0.1 is not an address"):
        bind(ListenerKey("127.0.0.1", 80), opener=opener)


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE])
def test_no_descriptor_left(error: int) -> None:
    with pytest.raises(BindError, match="out of file descriptors; raise the limit"):
        bind(ListenerKey("127.0.0.1", 9999), opener=Opener(9999, error=error))


def test_any_other_failure_keeps_the_systems_words() -> None:
    with pytest.raises(BindError, match="Protocol not available"):
        bind(ListenerKey("127.0.0.1", 9999), opener=Opener(9999, error=errno.ENOPROTOOPT))


def test_a_port_that_is_none() -> None:
    with pytest.raises(BindError, match=r"127.0.0.1:70000 cannot be bound"):
        bind(ListenerKey("127.0.0.1", 70000))


UNPRIVILEGED = """
import os, sys
from mesh.sockets import bind
from mesh.table import ListenerKey, Transport
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
bound = bind(ListenerKey("127.96.200.1", 80))
print(bound.key.port, bool(bound.reason))
"""


@pytest.mark.skipif(int(PRIVILEGED_START.read_text()) <= 80, reason="here everyone may bind port 80")
def test_without_the_right_in_a_real_process() -> None:
    process = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED], capture_output=True, text=True, timeout=30, check=False
    )
    assert process.stdout.split() == ["8080", "True"], process.stderr


def test_bound_tells_the_port_that_was_given() -> None:
    with listen("127.0.0.1", 0) as listening:
        bound = Bound(listening, ListenerKey("127.0.0.1", 0))
        assert bound.key.port == listening.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.96.1.2", "::1"])
def test_datagrams_have_a_socket_of_their_own(address: str) -> None:
    with listen(address, 0) as tcp:
        bound = bind(ListenerKey(address, tcp.getsockname()[1], "UDP"))
        with bound.socket as receiving:
            assert receiving.type == socket.SOCK_DGRAM
            assert bound.key == (address, tcp.getsockname()[1], "UDP")
            assert not receiving.getblocking()
            assert not receiving.get_inheritable()
            with pytest.raises(BindError, match="is taken by another program"):
                bind(bound.key)
