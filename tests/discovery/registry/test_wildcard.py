from __future__ import annotations

import asyncio
import socket

import pytest

from discovery.registry.wildcard import prepare
from tests.discovery.registry.making import agree, query, responder, values
from tests.discovery.registry.servers import Nowhere, serving

SHOP = "shop.default.svc.cluster.local."


@pytest.mark.parametrize(("bound", "asked"), [("0.0.0.0", "127.0.0.9"), ("0.0.0.0", "127.3.2.1"), ("::", "::1")])
async def test_an_answer_comes_from_the_address_that_was_asked(bound: str, asked: str) -> None:
    async with serving(responder(), Nowhere(), bound) as (_, where):
        family = socket.AF_INET6 if ":" in asked else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
            client.connect((asked, where[1]))  # a connected socket takes datagrams of that address only
            for _ in range(3):
                client.send(query(SHOP).to_wire())
                answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 4096), 10)
                assert values(agree(answer)) == ["A 127.96.1.1"]


def test_a_socket_of_one_address_does_without() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        assert not prepare(udp)
