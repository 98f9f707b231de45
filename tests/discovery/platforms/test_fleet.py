from __future__ import annotations

import asyncio

from discovery.endpoint import WorkloadRef
from discovery.platforms.fleet import Fleet
from tests.discovery.platforms.local import eventually

SHOP = WorkloadRef("Deployment", "default", "shop")


class Replica:
    def __init__(self, name: str) -> None:
        self.id, self.workload = name, SHOP
        self.ends: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        await self.ends


class World(Fleet[Replica]):
    """Two replicas."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[WorkloadRef | None] = []
        self.subscribe(self.told.append)
        self.first, self.second = Replica("a"), Replica("b")
        for replica in (self.first, self.second):
            self._add(replica)

    async def close(self) -> None:
        await self._running.close()


async def test_a_replica_is_listed_until_it_has_ended() -> None:
    fleet = World()
    assert list(fleet.replicas(SHOP)) == [fleet.first, fleet.second]
    await asyncio.sleep(0)
    fleet.first.ends.set_result(None)
    await eventually(lambda: fleet.told == [SHOP])
    assert list(fleet.replicas(SHOP)) == [fleet.second]
    await fleet.close()
    assert list(fleet.replicas(SHOP)) == [fleet.second], "it runs on without weft"


async def test_a_fault_is_an_end_and_told() -> None:
    fleet, told = World(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    await asyncio.sleep(0)
    fleet.first.ends.set_exception(ValueError("not foreseen"))
    fleet.second.ends.set_result(None)
    await eventually(lambda: not fleet.workloads() and told)
    assert told == ["a ended by a fault of the platform"]
    await fleet.close()
