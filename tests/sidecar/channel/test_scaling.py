"""A node's part in autoscaling: counts that come down, and what goes up."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping

from msgspec.structs import replace

from discovery.endpoint import WorkloadRef
from mesh.autoscaling.target import ReplicaLoad
from sidecar.channel.messages import Autoscaled, Wanted
from sidecar.channel.scaling import SECONDS, Scaling, name_of
from sidecar.channel.tally import Load
from tests.mesh.autoscaling.test_controller import World
from tests.mesh.making import service

WEB = WorkloadRef("Deployment", "default", "web")


class Target(World):
    async def read(self, workload: WorkloadRef):  # type: ignore[no-untyped-def]
        if workload != WEB:
            raise KeyError(workload)
        return await World.read(self, workload)


def loads(refs: frozenset[WorkloadRef]) -> Generator[None, None, Mapping[str, ReplicaLoad]]:
    yield
    return {"r0": ReplicaLoad(2, 9)} if WEB in refs else {}


def wanted(replicas: int | None = None, *victims: str, name: str = "default/web", **said: bool) -> Autoscaled:
    return Autoscaled((Wanted(name, replicas=replicas, victims=victims, **said),))  # type: ignore[arg-type]


async def test_what_is_wanted_is_carried_out_once() -> None:
    world = Target(desired=2)
    scaling = Scaling(world, loads)
    running = asyncio.create_task(scaling.run())
    for said in (wanted(), wanted(4), wanted(4), wanted(1, "r1"), wanted(None), wanted(3, name="default/other")):
        scaling.take(said)
        await asyncio.sleep(0.01)
    running.cancel()
    assert world.told[:2] == [(4, ()), (1, ("r1",))]


async def test_what_is_said() -> None:
    world = Target(desired=1)
    scaling = Scaling(world, loads)
    assert await scaling.due(0.0) is None, "nothing is autoscaled"
    scaling.take(wanted())
    said = await scaling.due(1.0)
    assert said is not None
    (workload,) = said.workloads
    assert (workload.name, workload.desired, [copy.id for copy in workload.copies]) == ("default/web", 1, ["r0"])
    assert (workload.usage, said.loads) == ({}, {"r0": Load(2, 9)}), "nobody asks what it uses"
    assert await scaling.due(1.0 + SECONDS / 2) is None, "at most once a second"
    assert await scaling.due(1.0 + SECONDS) is None, "nothing is new"
    world.desired = 2
    assert (await scaling.due(1.0 + 2 * SECONDS)) is not None
    scaling.begin()
    assert (await scaling.due(1.0 + 2 * SECONDS)) is not None, "a new connection is told everything"
    for step, measured in enumerate((True, True, False)):
        scaling.take(wanted(measured=measured))
        said = await scaling.due(9.0 + step)
        assert said is not None
        assert [used[0].at for used in said.workloads[0].usage.values()] == ([9.0 + step] * 2 if measured else [])


async def test_who_runs_nothing_still_says_what_it_sends() -> None:
    scaling = Scaling(None, loads)
    scaling.take(wanted(5))
    said = await scaling.due(0.0)
    assert said is not None
    assert (said.workloads, said.loads) == ((), {"r0": Load(2, 9)})


async def test_what_may_sleep_is_known_without_a_connection_and_counts_are_taken_anew() -> None:
    world = Target(desired=2)
    scaling = Scaling(world, loads)
    running = asyncio.create_task(scaling.run())
    labels = {"app": "web"}
    told = Autoscaled((Wanted("default/web", sleeps=True, replicas=4, labels=labels),))
    for _ in range(2):
        scaling.take(told)
        await asyncio.sleep(0.01)
        scaling.lost()
    running.cancel()
    assert [replicas for replicas, _ in world.told] == [4, 4]
    assert scaling.wakes(WEB)
    assert scaling.behind(service("web", selector=labels)) == (WEB,)


def test_who_is_woken_elsewhere() -> None:
    scaling = Scaling(None, loads)
    assert not scaling.wakes(WEB)
    scaling.take(wanted(sleeps=True))
    assert scaling.wakes(WEB)
    scaling.take(Autoscaled())
    assert not scaling.wakes(WEB)


def test_what_a_service_selects_of_what_may_sleep_elsewhere() -> None:
    scaling = Scaling(None, loads)
    labels = {"app": "web", "tier": "front"}
    awake, asleep = Wanted("default/api", labels=labels), Wanted("default/web", sleeps=True, labels=labels)
    scaling.take(Autoscaled((awake, asleep, Wanted("other/web", sleeps=True, labels=labels))))
    assert scaling.behind(service("web", selector={"app": "web"})) == (WEB,)
    assert scaling.behind(service("web", selector={"app": "api"})) == ()
    assert scaling.behind(service("web")) == (), "what selects nothing selects nobody"


def test_what_the_registry_knows_to_stand_behind_a_service() -> None:
    scaling, blue = Scaling(None, loads), WorkloadRef("SwarmService", "shop", "blue")
    assert scaling.size(blue) is None
    said = Wanted(name_of(blue), sleeps=True, services=("default/web",), size=0)
    scaling.take(Autoscaled((said, Wanted("SwarmService:shop/green", services=("default/web",), size=2))))
    assert scaling.behind(service("web")) == (blue,), "others do not sleep"
    assert scaling.behind(service("api")) == ()
    assert scaling.size(blue) == 0
    scaling.lost()
    assert (scaling.behind(service("web")), scaling.size(blue)) == ((blue,), 0), "as it was last"


async def test_of_what_others_scale_only_its_use_is_said() -> None:
    service = WorkloadRef("SwarmService", "default", "web")
    assert (name_of(service), name_of(WEB)) == ("SwarmService:default/web", "default/web")
    scaling = Scaling(Target(desired=1), lambda refs: loads(frozenset({WEB}) if service in refs else frozenset()))
    scaling.take(wanted(name=name_of(service), measured=True))
    said = await scaling.due(1.0)
    assert said is not None
    (workload,) = said.workloads
    assert (workload.name, workload.desired, workload.copies) == (name_of(service), 0, ())
    assert list(workload.usage) == ["r0"]
    assert said.loads == {"r0": Load(2, 9)}


async def test_who_is_autoscaled_is_told_and_who_may_still_be_is_not_let_go() -> None:
    told: list[set[str]] = []
    scaling = Scaling(None, loads)
    scaling.follow = lambda refs: told.append({each.name for each in refs})
    scaling.take(wanted(2))
    scaling.take(Autoscaled())
    scaling.take(wanted(2))
    for incomplete in (True, True, False):
        scaling.lost()
        scaling.begin()
        scaling.take(replace(wanted(2, name="default/api"), incomplete=incomplete))
    assert told == [{"web"}, set(), {"web"}, {"web", "api"}, {"web", "api"}, {"api"}]


async def test_what_nobody_scales_any_more_is_not_carried_out() -> None:
    world = Target(desired=2)
    scaling = Scaling(world, loads)
    scaling.take(wanted(0))
    scaling.take(Autoscaled())
    running = asyncio.create_task(scaling.run())
    await asyncio.sleep(0.01)
    running.cancel()
    assert world.told == []
