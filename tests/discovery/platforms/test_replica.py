from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config.resources.core import ServicePort
from config.resources.workloads import Container, ContainerPort, EnvVar, EnvVarSource, FieldSelector
from config.settings import NodeConfigSpec
from discovery.platforms.ports import Exhausted
from discovery.platforms.replica import LocalReplica
from discovery.platforms.revision import revise
from discovery.prober import Verdict
from tests.discovery.platforms.local import (
    PORT,
    SHOP,
    SLEEPER,
    STUBBORN,
    Drains,
    FakeProber,
    config,
    deployment,
    eventually,
    make_node,
    service,
)

pytestmark = pytest.mark.both_loops

METRICS = ContainerPort(container_port=9090, name="metrics")
DNS = ContainerPort(container_port=53, name="dns", protocol="UDP")


def program(name: str = "main", script: str = SLEEPER, ports: tuple[ContainerPort, ...] = (PORT,)) -> Container:
    return Container(name=name, command=(sys.executable, "-S", "-c", script), ports=ports)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.prober = FakeProber()
        self.drains = Drains()
        self.node = make_node(folder, self.prober, self.drains, wall_clock=lambda: self.now)
        self.now = 1000.0
        self.seen: list[tuple[bool, bool, bool]] = []
        self.replica: LocalReplica

    def make(self, *containers: Container, grace: int = 5) -> LocalReplica:
        wanted = deployment(1, *containers, grace=grace)
        exposed = service(ServicePort(port=80, target_port="http"), ServicePort(port=53, protocol="UDP"))
        self.node.adopt(config(wanted, exposed, node=NodeConfigSpec(node_name="laptop")))
        self.replica = LocalReplica(self.node, SHOP, revise(wanted, self.node.config), "shop-a-1", self._note)
        return self.replica

    def _note(self) -> None:
        published = self.replica.published
        self.seen.append((published.ready, published.serving, published.terminating))

    @asynccontextmanager
    async def running(self, *containers: Container, grace: int = 5) -> AsyncIterator[LocalReplica]:
        replica = self.make(*containers, grace=grace)
        task = asyncio.ensure_future(replica.run())
        try:
            yield replica
        finally:
            self.drains.gate.set()
            replica.terminate()
            async with asyncio.timeout(20):
                await task


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_an_address_of_its_own_and_a_port_for_each_container_port(bench: Bench) -> None:
    async with bench.running(program(ports=(PORT, METRICS, DNS))) as replica:
        found = replica.published
        assert (found.id, found.workload, found.node) == ("shop-a-1", SHOP, "laptop")
        assert found.address == "127.97.0.1"
        assert found.labels == {"app": "shop", "pod-template-hash": replica.revision.digest}
        assert [(port.container_port, port.name, port.protocol) for port in found.ports] == [
            (8080, "http", "TCP"),
            (9090, "metrics", "TCP"),
            (53, "dns", "UDP"),
        ]
        real = [port.port for port in found.ports]
        assert len(set(real)) == 3
        await eventually(lambda: replica.ready)
        assert bench.prober.targets["shop-a-1"].accept_ports == (real[0],), "only what a Service targets, and only TCP"


async def test_ready_serving_terminating(bench: Bench) -> None:
    async with bench.running(program()) as replica:
        bench.now = 1001.0
        await eventually(lambda: replica.ready)
        assert replica.published.since == 1001.0
        unchanged = replica.published
        bench.drains.gate.clear()
        bench.now = 1002.0
        replica.terminate()
        assert replica.published is not unchanged
        assert (replica.published.ready, replica.published.serving, replica.published.terminating) == (
            False,
            True,
            True,
        )
        assert replica.published.since == 1002.0
        bench.now = 1003.0
        bench.prober.tell("shop-a-1", Verdict(ready=False, alive=True, reason="closing"))
        assert not replica.published.serving
        assert replica.published.since == 1002.0
    assert bench.seen == [(True, True, False), (False, False, True)]


async def test_nothing_is_signalled_before_it_is_drained(bench: Bench) -> None:
    async with bench.running(program()) as replica:
        await eventually(lambda: replica.ready)
        bench.drains.gate.clear()
        replica.terminate()
        await eventually(lambda: bench.drains.asked == ["shop-a-1"])
        assert replica.status().running
        assert replica.published.serving
        bench.drains.gate.set()
        await eventually(lambda: not replica.status().running)


async def test_draining_ends_with_the_grace_period(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with bench.running(program(), grace=1) as replica:
        await eventually(lambda: replica.ready)
        bench.drains.gate.clear()
        replica.terminate()
        await eventually(lambda: not replica.status().running)
    assert "replica is stopped with requests in flight" in caplog.text


async def test_the_grace_period_of_the_pod_comes_after_draining(bench: Bench) -> None:
    async with bench.running(program(script=STUBBORN), grace=1) as replica:
        path = Path(replica.status().logs[0])
        await eventually(lambda: path.exists() and path.read_text())
        began = asyncio.get_running_loop().time()
        replica.terminate()
        await eventually(lambda: not replica.status().running)
        assert asyncio.get_running_loop().time() - began >= 1


NOTING = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print(f"SIGTERM {time.time()}", flush=True))
print("up", flush=True)
while True:
    time.sleep(1)
"""


async def test_the_order_of_its_end(bench: Bench) -> None:
    """Terminating, drained, SIGTERM, grace period, SIGKILL."""
    async with bench.running(program(script=NOTING), grace=1) as replica:
        log = Path(replica.status().logs[0])
        await eventually(lambda: replica.ready and log.exists() and "up" in log.read_text())
        bench.drains.gate.clear()
        replica.terminate()
        assert (replica.published.terminating, replica.published.ready) == (True, False), "said at once"
        await eventually(lambda: bench.drains.asked)
        assert "SIGTERM" not in log.read_text(), "whoever still sends to it is waited for"
        drained = time.time()
        bench.drains.gate.set()
        await eventually(lambda: "SIGTERM" in log.read_text())
        asked = float(log.read_text().split()[-1])
        await eventually(lambda: not replica.status().running)
        assert drained <= asked <= time.time() - 0.9, "it had its grace period"
        assert log.read_text().count("SIGTERM") == 1


async def test_a_replica_of_two_containers_is_ready_when_both_are(bench: Bench) -> None:
    bench.prober.ready = False
    show = "import os; print(os.environ['PORT_HTTP'], os.environ.get('PORT'), flush=True)\n" + SLEEPER
    async with bench.running(program(), program("side", show, ports=())) as replica:
        reports = await eventually(lambda: replica.status().running and dict(bench.prober.reports))
        assert len(reports) == 1, "the fake keeps the last of a replica"
        containers = replica._containers
        for container in containers:
            assert not replica.ready
            container._on_verdict(Verdict(ready=True, alive=True, reason=""))
        assert replica.ready
        containers[0]._on_verdict(Verdict(ready=False, alive=True, reason="full"))
        status = replica.status()
        assert (status.ready, status.message) == (False, "main: full")
        assert [Path(name).name for name in status.logs] == [
            "default_shop-a-1_main.log",
            "default_shop-a-1_side.log",
        ]
        path = Path(status.logs[1])
        await eventually(lambda: path.read_text() == f"{replica.published.ports[0].port} None\n")


async def test_facts_of_the_pod(bench: Bench) -> None:
    paths = ("metadata.name", "status.podIP", "spec.nodeName", "status.hostIP", "metadata.labels['app']")
    env = tuple(
        EnvVar(f"F{index}", value_from=EnvVarSource(field_ref=FieldSelector(path))) for index, path in enumerate(paths)
    )
    show = "import os; print(*[os.environ[f'F{i}'] for i in range(5)], os.environ['HOSTNAME'], flush=True)\n" + SLEEPER
    container = Container(name="main", command=(sys.executable, "-S", "-c", show), env=env)
    async with bench.running(container) as replica:
        path = Path(replica.status().logs[0])
        await eventually(lambda: path.exists() and path.read_text().endswith("\n"))
        assert path.read_text() == "shop-a-1 127.97.0.1 laptop 127.0.0.1 shop shop-a-1\n"


async def test_restarts_and_the_last_end_are_told(bench: Bench) -> None:
    async with bench.running(program(script="raise SystemExit(2)")) as replica:
        await eventually(lambda: replica.status().restarts >= 2)
        assert replica.status().last_end == "main: exit code 2"
        assert not replica.published.terminating


async def test_while_it_terminates_nothing_is_started_again(bench: Bench) -> None:
    async with bench.running(program(script="raise SystemExit(2)")) as replica:
        await eventually(lambda: replica.status().restarts >= 1)
        bench.drains.gate.clear()
        replica.terminate()
        await eventually(lambda: not replica.status().running)
        starts = replica.status().restarts
        await eventually(lambda: bench.drains.asked)
        assert replica.status().restarts == starts


async def test_address_and_ports_come_back(bench: Bench) -> None:
    async with bench.running(program(ports=(PORT, METRICS))) as replica:
        ports = {port.port for port in replica.published.ports}
        assert bench.node.ports._taken == ports
    assert not bench.node.ports._taken
    assert not bench.node.addresses._taken


async def test_an_address_comes_back_to_the_network_it_is_of(bench: Bench) -> None:
    async with bench.running(program()) as replica:
        bench.node.adopt(config(node=NodeConfigSpec(pod_cidr="127.97.0.0/24")))
        assert bench.node.addresses.take() == replica.address
    assert bench.node.addresses._taken == {replica.address}


async def test_what_was_taken_is_given_back_when_there_is_not_enough(bench: Bench) -> None:
    class Two:
        left = 2

        def take(self, _avoid: frozenset[int]) -> int:
            self.left -= 1
            if self.left < 0:
                raise Exhausted("no port")
            return 10_000 + self.left

        def release(self, _port: int) -> None:
            self.left += 1

    bench.node.ports = two = Two()  # type: ignore[assignment]
    with pytest.raises(Exhausted):
        bench.make(program(ports=(PORT, METRICS, DNS)))
    assert two.left == 1
    assert not bench.node.addresses._taken
