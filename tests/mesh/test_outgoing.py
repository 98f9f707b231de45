"""Heads for endpoints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mesh.http1.request import read_request
from mesh.outgoing import END, offered_protocols, outgoing_head, own_lines, request_id_of
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
        short = plain.lines + own_lines(PEER, plain.host, 80, one) + b"id" + END
        assert short == outgoing_head(plain, listener(one), PEER, b"id")
        assert short == outgoing_head(read_request(get("/", "Connection: x")), listener(one), PEER, b"id")


def test_the_id_is_found_again() -> None:
    head = outgoing_head(read_request(get("/", "A: X-Request-Id: b")), listener(plan()), PEER, b"id-1")
    assert request_id_of(head) == b"id-1"


def test_the_version_that_was_received_is_told() -> None:
    old = read_request(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert b"Via: 1.0 weft\r\n" in outgoing_head(old, listener(plan()), PEER, b"id")


def test_only_protocols_of_the_plan_are_offered() -> None:
    request = read_request(get("/", "Connection: upgrade", "Upgrade: h2c, WebSocket"))
    assert offered_protocols(request, plan()) == (b"websocket",)
    assert b"Connection: upgrade\r\nUpgrade: websocket\r\n" in outgoing_head(request, listener(plan()), PEER, b"id")
    assert b"pgrade" not in outgoing_head(request, listener(plan(upgrades=frozenset())), PEER, b"id")
