"""What nodes are told of autoscalers: what changed, and nothing is worked out where nothing has."""

from __future__ import annotations

from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.resources.autoscaling import HorizontalPodAutoscaler
from sidecar.autoscaling import Autoscaling, Scaled
from sidecar.channel.messages import Autoscaled, Wanted
from sidecar.channel.nodes import Nodes
from sidecar.channel.telling import Telling
from tests.mesh.autoscaling.objects import Written, metric
from tests.mesh.autoscaling.test_controller import World
from tests.sidecar.channel.test_registry_end import swarm_scaler


class Watched(Autoscaling):
    """Counts how often it is asked for all."""

    asked = 0

    def targets(self) -> dict[object, Scaled]:  # type: ignore[override]
        self.asked += 1
        return dict(super().targets())


class Swarm(World):
    async def read(self, workload: object) -> World:  # type: ignore[override]
        return self


def of(*autoscalers: HorizontalPodAutoscaler) -> ConfigSet:
    return ConfigSet(autoscalers={Named("default", each.metadata.name): each for each in autoscalers})


async def test_what_changed_is_told() -> None:
    written, there = of(swarm_scaler("blue")), Swarm(desired=0)
    stands_by = ""
    autoscaling = Watched(written, World, there, standby=lambda: stands_by)
    nodes = Nodes(list, lambda: 0.0)
    telling = Telling(autoscaling, nodes, lambda: written)
    blue = Wanted("SwarmService:default/blue", True, services=("default/blue",), size=0)
    sized, held = replace(blue, size=3), Wanted("SwarmService:default/blue")
    steps: list[tuple[Autoscaled, int]] = []

    async def look(*, incomplete: bool = False) -> None:
        for _ in range(2):
            await telling.look(stands_by, incomplete=incomplete)
        steps.append((nodes.autoscaled, autoscaling.asked))

    await look(incomplete=True)
    await look()
    there.desired = 3
    await look()
    stands_by = "another registry acts"
    await look()
    stands_by = ""
    await look()
    written = of(*written.autoscalers.values())
    await look()
    autoscaling.only_watch()
    await look()
    written = of(Written((metric("cpu", 1),)).made())
    autoscaling.define(written)
    await look()
    assert steps == [
        (Autoscaled((blue,), incomplete=True), 1),
        (Autoscaled((blue,)), 2),
        (Autoscaled((sized,)), 3),
        (Autoscaled((held,)), 4),
        (Autoscaled((sized,)), 5),
        (Autoscaled((sized,)), 6),
        (Autoscaled((held,)), 7),
        (Autoscaled((Wanted("default/web", measured=True),)), 8),
    ]


async def test_what_stops_while_it_is_asked_stays_told() -> None:
    written, there = of(swarm_scaler("blue")), Swarm(desired=0)
    autoscaling = Autoscaling(written, World, there)
    nodes = Nodes(list, lambda: 0.0)
    telling = Telling(autoscaling, nodes, lambda: written)
    await telling.look("", incomplete=False)
    told = nodes.autoscaled

    async def read(workload: object) -> Swarm:
        autoscaling.stop()
        there.desired += 1
        return there

    there.read = read  # type: ignore[method-assign]
    await telling.look("", incomplete=False)
    assert nodes.autoscaled is told
    assert told.workloads
