"""A node's end of the channel: whom it trusts, and what it does when the registry is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from config.meta import Named
from mesh.stats import BackendFrame
from sidecar.channel.credentials import Token
from tests.sidecar.channel.channels import Node, Registry, connected, manifest, registry, until


async def test_the_registry_learns_what_is_in_force_and_counted(tmp_path: Path) -> None:
    async with registry(tmp_path) as there:
        node = Node(there, there.token("a", "default/web"), runs=["default/web"])
        node.backends = [BackendFrame("default", "web", "http", codes={200: 4})]
        async with connected(node):
            node.channel.in_force(serial=3, manifests=1)
            await until(lambda: (known := there.nodes.get("a")) and known.serial == 3 and known.tally.current())
        known = there.nodes.get("a")
        assert known
        assert known.hello
        assert (known.manifests, known.hello.runs, known.address) == (1, ("default/web",), "127.0.0.1")
        assert there.nodes.frames()["a"].backends[0].codes == {200: 4}
        await until(lambda: not known.connected)


async def test_it_turns_to_the_registry_that_acts_which_counts_what_all_carry(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def counted(there: Registry) -> int:
        """Requests, of all nodes that said so."""
        return sum(each.codes[200] for each in there.nodes.counters([("default", "web")]).backends)

    async with registry(tmp_path) as first, registry(tmp_path) as second:
        first.nodes.stand("the registry b acts")
        nodes = [Node(first, first.token(name), others=[second.address]) for name in ("a", "b")]
        for node in nodes:
            node.backends = [BackendFrame("default", "web", "http", codes={200: 4})]
        async with connected(*nodes):
            await until(lambda: counted(second) == 8)
            assert all(not node.connected for node in first.nodes)
            first.nodes.stand("")
            second.nodes.stand("the registry a acts")
            await until(lambda: counted(first) == 8)
            assert all(not node.connected for node in second.nodes)
            left = (
                f"no connection to the registry's channel at {second.address}: it stands by, and another one is tried"
            )
            assert left in caplog.messages


async def test_one_that_uses_some_services_gets_these_and_those_that_come_into_use(tmp_path: Path) -> None:
    async with registry(tmp_path) as there:
        there.shelf.change([manifest("Service", f"s{number}") for number in range(5)])
        node = Node(there, there.token("a"), partial=True)
        first = node.channel.use([Named("default", "s1")])
        async with connected(node):
            await until(lambda: node.names() == ["Service/s1"])
            assert node.heard[-1].uses == first
            second = node.channel.use([Named("default", "s1"), Named("default", "s3")])
            await until(lambda: node.names() == ["Service/s1", "Service/s3"])
            assert node.heard[-1].uses == second > first


async def test_it_comes_again_and_gets_everything(tmp_path: Path) -> None:
    first = Registry(tmp_path)
    await first.start()
    first.shelf.change([manifest("Service", "old")])
    node = Node(first, first.token("a"))
    async with connected(node):
        await until(lambda: node.names() == ["Service/old"])
        await first.server.close()
        await until(lambda: not node.channel.connected)
        asking = asyncio.create_task(node.channel.confirmed(asyncio.get_running_loop().time() + 10))
        second = Registry(tmp_path)
        second.shelf.change([manifest("Service", "new")])
        await second.start(first.address.port)
        await until(lambda: node.names() == ["Service/new"])
        assert await asking == ()
        await second.server.close()


async def test_of_several_registries_the_next_is_asked_when_one_is_gone(tmp_path: Path) -> None:
    first, second = Registry(tmp_path), Registry(tmp_path)
    await first.start()
    await second.start()
    second.shelf.change([manifest("Service", "there")])
    node = Node(first, first.token("a"), others=[second.address])
    async with connected(node):
        assert first.nodes.get("a")
        await first.server.close()
        await until(lambda: node.names() == ["Service/there"])
        third = Registry(tmp_path)
        await third.start(first.address.port)
        await second.server.close()
        await until(lambda: third.nodes.get("a"))
        await third.server.close()


async def test_without_a_registry_nobody_says_that_all_have_confirmed(tmp_path: Path) -> None:
    there = Registry(tmp_path)
    await there.start()
    node = Node(there, there.token("a"))
    await there.server.close()
    async with asyncio.TaskGroup() as beside:
        running = beside.create_task(node.channel.run())
        assert await node.channel.confirmed(asyncio.get_running_loop().time() + 0.1) is None
        running.cancel()


async def test_another_certificate_gets_no_credential(tmp_path: Path) -> None:
    async with registry(tmp_path / "one") as there, registry(tmp_path / "other") as other:
        token = other.token("a")
        node = Node(other, Token(token.node, token.secret, there.pair.fingerprint))
        async with asyncio.TaskGroup() as beside:
            running = beside.create_task(node.channel.run())
            await until(lambda: "another certificate" in node.channel.failure)
            running.cancel()
        assert other.nodes.get("a") is None


async def test_a_wrong_secret_is_told_in_words(tmp_path: Path) -> None:
    async with registry(tmp_path) as there:
        token = there.token("a")
        node = Node(there, Token("a", token.secret[:-1] + "_", token.fingerprint))
        async with asyncio.TaskGroup() as beside:
            running = beside.create_task(node.channel.run())
            await until(lambda: "does not know this node's token" in node.channel.failure)
            running.cancel()


async def test_who_does_not_listen_is_told_in_words(tmp_path: Path) -> None:
    there = Registry(tmp_path)
    await there.start()
    node = Node(there, there.token("a"))
    await there.server.close()
    async with asyncio.TaskGroup() as beside:
        running = beside.create_task(node.channel.run())
        await until(lambda: node.channel.failure == "it cannot be reached (Connection refused)")
        running.cancel()
