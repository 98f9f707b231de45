from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import cast

from config.configset import ConfigSet
from config.settings import NodeConfigSpec
from discovery.platforms.docker.engine import Connection
from discovery.platforms.docker.observed import identify
from discovery.platforms.docker.watched import Watched
from discovery.prober import Prober, Verdict
from tests.discovery.platforms.docker.facts import ID, sends_to
from tests.discovery.platforms.docker.fake import fake_engine
from tests.discovery.platforms.docker.running import until
from tests.discovery.platforms.local import FakeProber


async def test_replicas_of_containers(tmp_path: Path) -> None:
    prober, told = FakeProber(ready=False), [0]
    async with fake_engine(tmp_path) as fake:
        fake.put()
        watched = Watched(
            lambda: Connection(fake.host), host=fake.host, name="docker", matters=lambda _: True, identify=identify,
            prober=cast("Prober", prober), random=Random(1), changed=lambda: told.append(1),
        )  # fmt: skip
        watched.define(ConfigSet(node=NodeConfigSpec(node_name="one"), services=sends_to(8080)))
        running = asyncio.create_task(watched.run())
        (replica,) = await until(lambda: watched.replicas)
        assert (replica.node, replica.ready, watched.containers) == ("one", False, {replica.id: ID})
        prober.tell(replica.id, Verdict(True, True, ""))
        assert watched.replicas[0].ready
        watched.unwanted = {replica.id}
        before = len(told)
        watched.update()
        assert (watched.replicas[0].terminating, len(told)) == (True, before + 1)
        fake.tell("restart")
        fake.containers[ID]["State"]["StartedAt"] = "2026-01-01T11:00:00Z"
        fake.tell("start")
        await until(lambda: prober.reports)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert not prober.reports
