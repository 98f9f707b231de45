"""Whose word about a request's origin is believed, and what the endpoint is told."""

from __future__ import annotations

import pytest

from mesh.forwarded import appended_lines, believed_id, forwarding_lines
from mesh.peer import Peer
from tests.mesh.dialogue import OK, answering, get, mesh

PEER = Peer("192.0.2.1", 1)
CLAIMS = (
    "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "X-Forwarded-Port: 1",
    "X-Forwarded-Prefix: /p", "X_Forwarded_For: 8.8.8.8", "Forwarded: for=9.9.9.9", "X-Request-Id: mine",
)  # fmt: skip


def test_replaced() -> None:
    assert forwarding_lines(PEER, b"a:81", 80) == (
        b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a:81\r\nX-Forwarded-Port: 80\r\n"
    )


def test_appended() -> None:
    said = {
        b"x-forwarded-for": [b"1, 2", b"3"],
        b"x-forwarded-proto": [b"https"],
        b"forwarded": [b"for=1"],
        b"x-forwarded-prefix": [b"/p"],
    }
    assert appended_lines(said, Peer("::1", 1), b"a", 80).split(b"\r\n") == [
        b"X-Forwarded-For: 1, 2, 3, ::1",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Host: a",
        b"X-Forwarded-Port: 80",
        b"X-Forwarded-Prefix: /p",
        b'Forwarded: for=1, for="[::1]"',
        b"",
    ]


def test_ids() -> None:
    assert believed_id({b"x-request-id": [b"a"]}) == b"a"
    assert believed_id({b"x-request-id": [b"a", b"b"]}) == b""
    assert believed_id({b"x-request-id": [b"a b"]}) == b""
    assert believed_id({}) == b""


@pytest.mark.parametrize(
    ("entry", "trusted", "believed"),
    [
        ("NodePort", "", False),
        ("LoadBalancer", "", False),
        ("Ingress", "10.0.0.0/8", False),
        ("Ingress", "127.0.0.0/8", True),
        ("ClusterIP", "", True),
    ],
)
async def test_who_is_believed(entry: str, trusted: str, believed: bool) -> None:
    async with mesh(answering(OK), entry=entry, trusted=trusted) as world:  # type: ignore[arg-type]
        await world.ask(get("/", *CLAIMS))
        head = world.endpoints[0].heads[0]
        assert (b"\r\nX-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n" in head) is believed
        assert (b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in head) is not believed
        assert (b"\r\nX-Forwarded-Proto: https\r\n" in head) is believed
        assert (b"\r\nX-Request-Id: mine\r\n" in head) is believed
        assert (b"evil" in head) is believed
        assert b"8.8.8.8" not in head
        assert head.count(b"X-Request-Id") == 1
