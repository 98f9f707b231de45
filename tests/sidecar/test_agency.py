"""A node's agent as a registry for its sidecars: it sends parts of its copy, tells of changes, and hands on."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import Secret
from config.settings import NodeConfigSpec, RegistryKey, RegistrySettings
from discovery.registry.authority import Authority
from discovery.registry.keys import Key, KeyRing
from discovery.registry.messages import removed
from discovery.registry.resolv_conf import Resolver
from discovery.registry.responder import Responder
from discovery.registry.wire import from_text, to_wire
from sidecar.agency import Agency, SharedCopy
from tests.discovery.registry.registries import Registry, registry
from tests.discovery.registry.servers import Nowhere, serving
from tests.discovery.registry.test_authority import KEYS, NODE, READER, until
from tests.discovery.registry.test_primary import Memory, asks
from tests.discovery.registry.test_registrant import registered, registering
from tests.discovery.registry.test_secondary import same, secondary
from tests.discovery.registry.test_transfer import APEX, record

NODES = to_wire(from_text("nodes.cluster.local"))
APP = to_wire((b"app", b"default"))[:-1]
ONE, OTHER = record("one.app.default"), record("one.other.default")


@asynccontextmanager
async def agent(where: Registry, key: Key | None = None, *keys: RegistryKey) -> AsyncIterator[Resolver]:
    """An agent that follows `where`, as it is asked."""
    async with secondary(where, key=key) as copy:
        made = Agency(SharedCopy(APEX, copy), NODES, [Resolver(where.host, where.port)], key, Random(1))
        responder = Responder(Random(1))
        authority = Authority(responder, Nowhere(), KeyRing(), clock=time.monotonic, wall=time.time)
        made.attach(authority, ConfigSet(node=NodeConfigSpec(registry=RegistrySettings(keys=keys)), secrets=SECRETS))
        copy.followers.append(made.changed)
        async with serving(responder, Nowhere(), authority=authority) as (_, (host, port)):
            made.served_from(host)
            async with secondary(Resolver(host, port)) as early:
                await until(lambda: early.failure)
                await asyncio.wait_for(copy.synced.wait(), 5)
                made.share()
            try:
                yield Resolver(host, port)
            finally:
                await made.close()


SECRETS = {
    Named("default", "reader"): Secret(
        metadata=ObjectMeta("reader", "default"),
        data={
            "name": b64encode(b".".join(READER.name)).decode(),
            "secret": b64encode(b64encode(READER.secret)).decode(),
            "algorithm": b64encode(READER.algorithm.encode()).decode(),
        },
    )
}


async def test_it_sends_parts_and_what_changes_of_them() -> None:
    async with registry(Memory()) as where:
        await where.primary.submit(asks(ONE, OTHER))
        async with agent(where) as there, secondary(there) as made:
            made.want(frozenset({APP}))
            await asyncio.wait_for(made.synced.wait(), 5)
            assert set(made.content.nodes) == {ONE.name}
            two = record("two.app.default")
            await where.primary.submit(asks(two, record("two.other.default")))
            await until(lambda: set(made.content.nodes) == {ONE.name, two.name})
            await where.primary.submit(asks(removed(ONE)))
            await until(lambda: set(made.content.nodes) == {two.name})
            assert made.content.serial == where.primary.content.serial


async def test_the_whole_zone_can_be_had_as_well() -> None:
    async with registry(Memory()) as where:
        await where.primary.submit(asks(*(record(f"h{number}.a.b") for number in range(700))))
        async with agent(where) as there, secondary(there) as made:
            await until(lambda: same(made.content, where.primary.content))
            await where.primary.submit(asks(ONE))
            await until(lambda: same(made.content, where.primary.content))


async def test_what_is_registered_there_is_registered_at_the_registry() -> None:
    async with registry(Memory(), KEYS) as where, agent(where, READER) as there, registering(there, key=NODE) as made:
        made.want((ONE,))
        assert await made.settled(5)
        assert registered(where) == {ONE}


@pytest.mark.parametrize(
    ("key", "keys", "gets"),
    [
        (None, (), True),
        (READER, (), True),
        (NODE, (), False),
        (None, (RegistryKey("reader", transfers=True),), False),
        (READER, (RegistryKey("reader", transfers=True),), True),
        (READER, (RegistryKey("reader"),), False),
    ],
)
async def test_who_gets_a_copy(key: Key | None, keys: tuple[RegistryKey, ...], gets: bool) -> None:
    async with (
        registry(Memory(), KEYS) as where,
        agent(where, READER, *keys) as there,
        secondary(there, key=key) as made,
    ):
        await until(lambda: made.synced.is_set() or made.failure)
        assert made.synced.is_set() == gets


async def test_keys_that_cannot_be_had_leave_nobody_in() -> None:
    missing = RegistryKey("missing", transfers=True)
    async with registry(Memory()) as where, agent(where, None, missing) as there, secondary(there) as made:
        await until(lambda: made.synced.is_set() or made.failure)
        assert not made.synced.is_set()
