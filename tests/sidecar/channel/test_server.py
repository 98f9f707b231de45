"""The registry's end of the channel, over real TLS WebSockets."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from sidecar.channel.attempts import MOST
from sidecar.channel.messages import PATH
from tests.sidecar.channel.channels import Node, connected, manifest, registry, until


async def test_manifests_come_whole_and_then_as_differences(tmp_path: Path) -> None:
    async with registry(tmp_path) as there:
        there.shelf.change([manifest("Service", "web"), manifest("Service", "shop")])
        node = Node(there, there.token("a"))
        async with connected(node):
            await until(lambda: node.names() == ["Service/shop", "Service/web"])
            there.shelf.change([manifest("Service", "pay")], [manifest("Service", "shop").key])
            await until(lambda: node.names() == ["Service/pay", "Service/web"])
        assert [message.whole for message in node.heard] == [True, False]


async def test_a_node_gets_only_those_deployments_that_its_token_is_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = {"secretRef": {"name": "web"}}
    pod = {"containers": [{"name": "a", "image": "web:1", "envFrom": [secret]}]}
    body = {"spec": {"template": {"spec": pod}}}
    async with registry(tmp_path) as there:
        there.shelf.change(
            [
                manifest("Deployment", "web", body),
                manifest("Secret", "web"),
                manifest("Deployment", "api", {"spec": {"template": {"spec": {}}}}),
            ]
        )
        token = there.token("a", "default/api", "default/other")
        node = Node(there, token, runs=["default/api", "default/web"])
        async with connected(node):
            await until(lambda: node.heard)
            assert node.names() == ["Deployment/api"]
    assert "not for --run default/web: " in caplog.text
    assert "weft token create a --run default/api --run default/web" in caplog.text


async def test_a_drain_waits_for_whoever_follows_the_zone(tmp_path: Path) -> None:
    async with registry(tmp_path) as there:
        one, two = Node(there, there.token("one")), Node(there, there.token("two"))
        async with connected(one, two):
            one.channel.in_force(serial=7)
            two.channel.in_force(serial=6)
            loop_time = there.nodes.clock
            await until(lambda: (two_there := there.nodes.get("two")) and two_there.serial == 6)
            assert await one.channel.confirmed(loop_time() + 0.3) == ("two",)
            two.channel.in_force(serial=7)
            assert await one.channel.confirmed(loop_time() + 5) == ()


async def test_reconnects_leak_nothing(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    async with registry(tmp_path) as there:
        there.shelf.change([manifest("Service", "web")])
        token = there.token("a")

        async def come_and_go() -> None:
            node = Node(there, token)
            async with connected(node):
                await until(lambda: node.names() == ["Service/web"])
            await until(lambda: not there.server._connections)

        await come_and_go()
        tasks, descriptors = len(asyncio.all_tasks()), open_descriptors()
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(size(5, 1000)):
            await come_and_go()
        await until(lambda: len(asyncio.all_tasks()) <= tasks and open_descriptors() <= descriptors)
        gc.collect()
        assert len(gc.get_objects()) - before < 2000
        assert not there.server._server.waiting
        assert len(list(there.nodes)) == 1


async def test_one_who_comes_again_takes_the_place_of_the_connection_before(tmp_path: Path) -> None:
    async with registry(tmp_path) as there:
        token = there.token("a")
        first, second = Node(there, token), Node(there, token, seed=2)
        async with connected(first):
            running = asyncio.create_task(second.channel.run())
            await until(lambda: second.channel.connected and not first.channel.connected)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_who_is_wrong_too_often_is_told_so_and_keeps_nobody_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with registry(tmp_path) as there, aiohttp.ClientSession() as session:

        async def status(path: str, authorization: str) -> int:
            upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Authorization": authorization}
            async with session.get(f"https://{there.address}{path}", ssl=False, headers=upgrade) as answer:
                return answer.status

        assert await status("/other", "") == 404
        assert [await status(PATH, "Bearer a:guessed-secret") for _ in range(MOST)] == [401] * MOST
        assert await status(PATH, "Bearer a:guessed-secret") == 429
        assert await status(PATH, there.token("a").authorization) == 400  # heard, but it is no WebSocket
    assert "guessed-secret" not in caplog.text


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
