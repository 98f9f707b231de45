"""The registry's end of the channel, over real TLS WebSockets."""

from __future__ import annotations

from pathlib import Path

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
