"""The gate: a listener's own limit, and the process's descriptors."""

from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest

from config.filters import AccessPolicy
from mesh.descriptors import Descriptors
from mesh.filters.access import Access
from mesh.filters.chain import Filters
from mesh.filters.split import Split
from mesh.gate import Gate, refusal, way, welcome
from mesh.reasons import DENIED, SOURCE_REFUSED, Reason
from mesh.table import Listener, ListenerKey, Route
from tests.mesh.making import backend

KEY = ListenerKey("127.0.0.1", 80)


def test_a_listener_has_room_until_its_limit() -> None:
    gate = Gate(Descriptors(1024), KEY, limit=2)
    assert gate.room == 2
    gate.entered()
    assert gate.room == 1
    gate.entered()
    assert gate.room == 0
    gate.left()
    assert gate.room == 1
    assert gate.open == 1


def test_listeners_share_the_descriptors() -> None:
    descriptors = Descriptors(8)  # six, after the reserve
    first, second = Gate(descriptors, KEY, limit=100), Gate(descriptors, KEY, limit=100)
    first.entered()
    first.entered()
    second.entered()
    assert first.room == 0
    assert second.room == 0
    first.left()
    assert second.room == 1


@pytest.mark.parametrize(
    ("ranges", "address", "expected"),
    [
        ((), "203.0.113.9", True),
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "11.1.2.3", False),
        (("10.0.0.0/8", "192.0.2.7/32"), "192.0.2.7", True),
        (("10.0.0.0/8",), "::1", False),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("0.0.0.0/0",), "::1", False),
    ],
)
def test_who_is_welcome(ranges: tuple[str, ...], address: str, expected: bool) -> None:
    listener = Listener(KEY, "LoadBalancer", "tcp", Route(backend()), sources=tuple(map(ip_network, ranges)))
    assert welcome(listener, address) is expected


def test_filters_say_where_a_relayed_connection_goes() -> None:
    there, elsewhere = backend(), backend()
    denied = Filters(lambda: 0.0, access=Access(AccessPolicy(deny=("127.0.0.1",))))
    split = Filters(lambda: 0.0, split=Split([(elsewhere, 1)]))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        line, _ = server.accept()
        with line:
            for filters, expected in ((None, there), (denied, None), (split, elsewhere)):
                assert way(Route(there, filters), line) is expected
            assert there.stats.reasons == {"http_request_denied": 1}
    with socket.socket() as unconnected:
        assert way(Route(there, split), unconnected) is None


@pytest.mark.parametrize(
    ("address", "reason"), [("10.0.0.1", None), ("10.0.0.2", DENIED), ("10.1.0.1", SOURCE_REFUSED)]
)
def test_why_a_client_may_not_come_in(address: str, reason: Reason | None) -> None:
    denied = Filters(lambda: 0.0, access=Access(AccessPolicy(deny=("10.0.0.2",))))
    listener = Listener(KEY, "LoadBalancer", "udp", Route(backend(), denied), sources=(ip_network("10.0.0.0/24"),))
    assert refusal(listener, address) == reason
    assert refusal(Listener(KEY, "ClusterIP", "udp", Route(backend())), address) is None
