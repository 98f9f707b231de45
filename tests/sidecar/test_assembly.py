"""All parts joined in this process."""

from __future__ import annotations

import asyncio

from sidecar.assembly import Assembly


async def get(node: Assembly) -> bytes:
    (door,) = node.running.doors()
    host, _, port = door.served.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
    data = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return data


async def test_requests_are_served_and_counted(node: Assembly) -> None:
    assert (await get(node)).startswith(b"HTTP/1.1 200 ")
    page = b"".join(node.metrics()).decode()
    assert 'weft_http_requests_total{namespace="default",service="web",port="http",code="200"} 1\n' in page
    assert "weft_build_info{" in page


async def test_the_table_is_acknowledged(node: Assembly) -> None:
    generation = node.catalog.snapshot.generation
    assert await node.catalog.acknowledged(generation, asyncio.get_running_loop().time() + 5) == frozenset()


async def test_a_table_that_comes_while_it_stops_opens_nothing(node: Assembly) -> None:
    await node.stop()
    await node.publisher.publish()
    await asyncio.sleep(0.01)
    assert node.listeners.states == {}
