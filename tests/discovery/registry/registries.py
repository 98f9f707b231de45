"""A registry for tests: a written zone on a store in memory, served on real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from random import Random
from typing import NamedTuple

from discovery.registry.authority import Authority
from discovery.registry.found import Joined, Written
from discovery.registry.keys import KeyRing
from discovery.registry.lease import Leases
from discovery.registry.primary import Primary
from discovery.registry.responder import Responder
from discovery.registry.store import Store
from tests.discovery.registry.making import view
from tests.discovery.registry.servers import Nowhere, serving
from tests.discovery.registry.test_transfer import APEX


class Registry(NamedTuple):
    """What a test may look at."""

    host: str
    port: int
    primary: Primary
    authority: Authority
    store: Store


@asynccontextmanager
async def registry(
    store: Store, keys: KeyRing | None = None, transfers_to: Iterable[str] = (), least_lease: int = 30
) -> AsyncIterator[Registry]:
    """The zone ``endpoints.cluster.local``, beside the cluster's names."""
    stored = (await store.open([APEX.origin]))[APEX.origin]
    primary = Primary(APEX, store, stored, leases=Leases(), clock=time.monotonic)
    responder = Responder(Random(1))
    responder.put_in_force(Joined(Written(APEX, primary.content), view()))
    primary.followers.append(responder.changed)
    authority = Authority(
        responder, Nowhere(), keys or KeyRing(), transfers_to=map(ip_network, transfers_to),
        least_lease=least_lease, clock=time.monotonic, wall=time.time,
    )  # fmt: skip
    authority.serve(primary)
    running = asyncio.create_task(primary.run())
    try:
        async with serving(responder, Nowhere(), authority=authority) as (_, (host, port)):
            yield Registry(host, port, primary, authority, store)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
