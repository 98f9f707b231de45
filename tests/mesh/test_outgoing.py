"""Heads for endpoints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mesh.http1.request import read_request
from mesh.outgoing import END, offered_protocols, outgoing_head, own_lines, request_id_of, without_port
from mesh.peer import Peer
from mesh.plan import BackendKey, BackendPlan
from tests.mesh.dialogue import GET, get

PEER = Peer("192.0.2.1", 1)


def plan(**fields: Any) -> BackendPlan:
    return BackendPlan(BackendKey("default", "shop", "http"), (), **fields)


def listener(one: BackendPlan) -> Any:
    backend = SimpleNamespace(plan=one)
    return SimpleNamespace(entry="NodePort", key=SimpleNamespace(port=80), route=SimpleNamespace(backend=backend))


def test_both_doors_write_the_same() -> None:
    for one in (plan(), plan(via=False)):
        plain = read_request(GET)
        assert plain.plain
        before, after = own_lines(PEER, 80, one)
        short = plain.lines + before + plain.host + after + b"id" + END
        assert short == outgoing_head(plain, one, listener(one), PEER, b"id")
        assert short == outgoing_head(read_request(get("/", "Connection: x")), one, listener(one), PEER, b"id")


def test_the_id_is_found_again() -> None:
    head = outgoing_head(read_request(get("/", "A: X-Request-Id: b")), plan(), listener(plan()), PEER, b"id-1")
    assert request_id_of(head) == b"id-1"


def test_the_version_that_was_received_is_told() -> None:
    old = read_request(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert b"Via: 1.0 weft\r\n" in outgoing_head(old, plan(), listener(plan()), PEER, b"id")


def test_only_protocols_of_the_plan_are_offered() -> None:
    request = read_request(get("/", "Connection: upgrade", "Upgrade: h2c, WebSocket"))
    assert offered_protocols(request, plan()) == (b"websocket",)
    head = outgoing_head(request, plan(), listener(plan()), PEER, b"id")
    assert b"Connection: upgrade\r\nUpgrade: websocket\r\n" in head
    without = plan(upgrades=frozenset())
    assert b"pgrade" not in outgoing_head(request, without, listener(without), PEER, b"id")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"a", b"a"), (b"a:80", b"a"), (b"a:", b"a"), (b"", b""), (b"10.0.0.1:8080", b"10.0.0.1"),
        (b"[::1]", b"[::1]"), (b"[::1]:80", b"[::1]"),
    ],
)  # fmt: skip
def test_the_port_of_a_host_is_no_part_of_its_name(host: bytes, name: bytes) -> None:
    assert without_port(host) == name
