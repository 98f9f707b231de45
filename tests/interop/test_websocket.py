"""A WebSocket client and server (RFC 6455) talk through an Upgrade tunnel."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.interop.conftest import LARGEST_MESSAGE
from tests.scenarios.weft import Weft, wait_for


@pytest.fixture
def connection(weft: Weft) -> Iterator[ClientConnection]:
    with connect(f"ws://{weft.address('chat')}/room", max_size=LARGEST_MESSAGE) as opened:
        yield opened


def in_flight(weft: Weft) -> int:
    page = weft.admin("/metrics").body.decode()
    found = re.search(r'weft_http_requests_in_flight\{.*service="chat".*\} (\d+)', page)
    return int(found[1]) if found else 0


def test_messages_go_both_ways(connection: ClientConnection) -> None:
    for message in ("text", "ünïcode", b"\x00binary\xff", "", b""):
        connection.send(message)
        assert connection.recv(timeout=10) == message


def test_a_large_message(connection: ClientConnection) -> None:
    message = random.Random(3).randbytes(3_000_000)
    connection.send(message)
    assert connection.recv(timeout=20) == message


def test_fragments_and_pings(connection: ClientConnection) -> None:
    connection.send(["frag", "men", "ts"])
    assert connection.recv(timeout=10) == "fragments"
    assert connection.ping(b"there?").wait(10)


def test_the_closing_handshake(weft: Weft, connection: ClientConnection) -> None:
    connection.send("hello")
    assert connection.recv(timeout=10) == "hello"
    assert in_flight(weft) == 1
    connection.close(code=4001, reason="done here")
    assert (connection.close_code, connection.close_reason) == (4001, "done here")
    assert connection.protocol.close_rcvd is not None, "the server closed too"
    wait_for(lambda: in_flight(weft) == 0)


def test_many_connections_at_once(weft: Weft) -> None:
    with ExitStack() as open_:
        opened = [open_.enter_context(connect(f"ws://{weft.address('chat')}/")) for _ in range(20)]
        for number, each in enumerate(opened):
            each.send(f"message {number}")
        for number, each in enumerate(opened):
            assert each.recv(timeout=10) == f"message {number}"
        assert in_flight(weft) == 20
    wait_for(lambda: in_flight(weft) == 0)


def test_an_endpoint_that_does_not_switch(weft: Weft) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://{weft.address('app')}/"):
        pass
    assert refused.value.response.status_code == 200
