"""Registries that share an etcd: whatever happens to one of them, or to etcd, what was acknowledged is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio

from discovery.registry.messages import removed
from discovery.registry.primary import Primary
from discovery.registry.wire import NOERROR
from tests.discovery.registry.test_primary import asks, there
from tests.discovery.registry.test_transfer import record
from tests.interop.etcds import Server, registries
from tests.interop.programs import needs

pytestmark = needs("etcd")


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    made = Server(tmp_path)
    made.start()
    try:
        await made.ready()
        yield made
    finally:
        made.close()


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def equal(*primaries: Primary) -> bool:
    first = primaries[0].content
    return all((each.content.serial, each.content.nodes) == (first.serial, first.nodes) for each in primaries)


async def test_what_one_takes_all_have(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        a1, a2 = record("a.shop.default"), record("b.shop.default")
        assert await one.primary.submit(asks(a1)) == NOERROR
        serial = one.primary.content.serial
        await until(lambda: two.primary.content.serial == serial)
        assert there(two.primary.content) == {a1}
        assert await two.primary.submit(asks(removed(a1), a2)) == NOERROR
        await until(lambda: equal(one.primary, two.primary))
        assert there(one.primary.content) == {a2}
        for each in (one.primary, two.primary):
            steps = await each.since(serial)
            assert steps is not None
            assert [(step.before, step.serial) for step in steps] == [(serial, each.content.serial)]
