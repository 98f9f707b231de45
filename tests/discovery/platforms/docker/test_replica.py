from __future__ import annotations

from pathlib import Path

from config.resources.core import ServicePort
from discovery.endpoint import ReplicaPort
from discovery.platforms.docker.replica import DockerReplica
from tests.discovery.objects import named
from tests.discovery.platforms.docker.fake import fake_engine
from tests.discovery.platforms.docker.pods import SHOP, SIDE, deployment
from tests.discovery.platforms.docker.running import World, until, world
from tests.discovery.platforms.local import FakeProber, service


async def started(there: World, *others: object, **container: object) -> DockerReplica:
    made = deployment(1, *others, **container)  # type: ignore[arg-type]
    there.runner.start(SHOP, there.runner.revise(made), "shop-abc-12345")
    return await there.one()


async def test_what_others_see_of_it(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        replica = await started(there)
        seen = replica.published
        assert (seen.id, seen.workload, seen.address) == ("shop-abc-12345", SHOP, "172.17.0.2")
        assert seen.ports == (ReplicaPort(8080, 8080, "http"),)
        assert seen.labels == {"app": "shop", "pod-template-hash": replica.digest}
        assert (seen.ready, seen.serving, seen.terminating) == (True, True, False)
        status = replica.status()
        assert (status.running, status.pending, status.restarts, status.message) == (True, False, 0, "")
        assert status.logs == (f"docker logs {there.running()[0][:12]}",)


async def test_it_ends_in_order(tmp_path: Path) -> None:
    """Terminating for all to see, drained, and only then stopped, with its grace period."""
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        replica = await started(there, grace=7)
        there.drains.gate.clear()
        replica.terminate()
        assert (replica.published.terminating, replica.published.ready) == (True, False)
        await until(lambda: there.drains.asked == ["shop-abc-12345"])
        assert not fake.stopped
        assert replica.published.serving
        there.drains.gate.set()
        await until(lambda: not there.replicas)
        assert [seconds for _, seconds in fake.stopped] == ["7"]
        assert fake.containers == {}


async def test_an_event_takes_its_readiness_at_once(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        replica = await started(there)
        (name,) = there.running()
        fake.tell("pause", name)
        await until(lambda: not replica.ready)
        assert not replica.published.serving
        fake.tell("unpause", name)
        await there.one()
        fake.tell("kill", name, signal="15")
        await until(lambda: not replica.ready)
        assert replica.published.serving
        assert not replica.published.terminating


async def test_containers_share_the_network_of_the_first(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        replica = await started(there, SIDE)
        first, second = (fake.containers[name] for name in there.running())
        assert second["Asked"]["HostConfig"]["NetworkMode"] == f"container:{first['Id']}"
        fake.exit(first["Id"], 1)
        await until(lambda: not replica.ready)
        await there.one()
        assert first["Id"] not in fake.containers
        assert second["Id"] not in fake.containers
        assert replica.status().restarts == 2


async def test_ports_that_services_send_to_must_accept(tmp_path: Path) -> None:
    prober = FakeProber()
    ports = (ServicePort(port=80, target_port="http"), ServicePort(port=81, target_port=9999))
    async with fake_engine(tmp_path) as fake, world(fake, prober, services=named(service(*ports))) as there:
        await started(there)
        assert prober.targets["shop-abc-12345"].accept_ports == (8080, 9999)
        assert prober.targets["shop-abc-12345"].ports == {"http": 8080}
        assert prober.targets["shop-abc-12345"].address == "172.17.0.2"


async def test_usage_comes_from_the_engine(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        replica = await started(there)
        assert replica.usage()[0].cpu_seconds is None
        await there.runner._usage.look()
        assert (replica.usage()[0].cpu_seconds, replica.usage()[0].memory) == (2.5, 2000.0)
