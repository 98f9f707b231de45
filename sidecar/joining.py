"""Small parts that join two seams: where a floor asks for something that only another one knows."""

from __future__ import annotations

import asyncio

from discovery.catalog import Catalog
from discovery.platforms.base import Drained
from mesh.proxy import Proxy

POLL_SECONDS = 0.01


def drained_by(catalog: Catalog, proxy: Proxy) -> Drained:
    """`Drained` for a platform: all consumers know that the replica goes, and nothing is in flight on it."""

    async def drained(replica_id: str, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        await catalog.acknowledged(catalog.snapshot.generation, deadline)
        while proxy.in_flight(replica_id) and loop.time() < deadline:
            await asyncio.sleep(POLL_SECONDS)  # noqa: ASYNC110 - a count on the hot path tells nobody of its changes

    return drained
