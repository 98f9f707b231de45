"""Heads for endpoints."""

from __future__ import annotations

from itertools import repeat
from types import SimpleNamespace
from typing import Any

from mesh.http1.request import read_request
from mesh.outgoing import HeadWriter
from mesh.peer import Peer
from mesh.plan import BackendKey, BackendPlan
from tests.mesh.dialogue import GET, get

KEY = BackendKey("default", "shop", "http")


def listener(**plan: Any) -> Any:
    backend = SimpleNamespace(plan=BackendPlan(KEY, (), **plan))
    return SimpleNamespace(entry="NodePort", key=SimpleNamespace(port=80), route=SimpleNamespace(backend=backend))


def writer() -> HeadWriter:
    return HeadWriter(SimpleNamespace(request_ids=repeat(b"id")), Peer("192.0.2.1", 1))  # type: ignore[arg-type]


def test_both_doors_write_the_same() -> None:
    plain, careful = read_request(GET), read_request(get("/", "Connection: keep-alive, x"))
    where, one = listener(), writer()
    assert plain.plain
    assert not careful.plain
    assert one.write(plain, where) == one.write(careful, where)


def test_another_host_or_plan_is_noticed() -> None:
    one, where = writer(), listener()
    assert b"X-Forwarded-Host: a\r\n" in one.write(read_request(GET), where)
    assert b"X-Forwarded-Host: b\r\n" in one.write(read_request(GET.replace(b"Host: a", b"Host: b")), where)
    assert b"Via: 1.1 weft\r\n" in one.write(read_request(GET), where)
    assert b"Via" not in one.write(read_request(GET), listener(via=False))


def test_the_version_that_was_received_is_told() -> None:
    assert b"Via: 1.0 weft\r\n" in writer().write(read_request(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"), listener())
