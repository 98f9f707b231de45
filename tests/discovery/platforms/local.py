"""What tests of local replicas share: Deployments in a few words, a prober that says what it is told, programs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from config.configset import ConfigSet
from config.meta import LabelSelector, Named, ObjectKey, ObjectMeta, Source
from config.resources.core import Service, ServicePort, ServiceSpec
from config.resources.workloads import (
    Container,
    ContainerPort,
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    PodMetadata,
    PodSpec,
    PodTemplate,
)
from config.settings import NodeConfigSpec
from discovery.backoff import BackoffPolicy
from discovery.endpoint import WorkloadRef
from discovery.platforms.keeper import Keeper
from discovery.platforms.logs import LogFolder
from discovery.platforms.node import Node
from discovery.platforms.ports import PortPool
from discovery.platforms.process import ProcessPlatform
from discovery.prober import ProbeTarget, Verdict

QUICK = BackoffPolicy(first=0.01, ceiling=0.02)
SHOP = WorkloadRef("Deployment", "default", "shop")

ROLLING = DeploymentStrategy()
SETTINGS = NodeConfigSpec()

SLEEPER = "import time\ntime.sleep(600)\n"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)\n"
)
SERVER = """
import os, socket
listener = socket.create_server((os.environ["HOST"], int(os.environ["PORT"])))
while True:
    listener.accept()[0].close()
"""


class FakeProber:
    """Says of every container what `verdict` says at its start, or what `tell` says later."""

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = ready
        self.targets: dict[str, ProbeTarget] = {}
        self.reports: dict[str, Callable[[Verdict], None]] = {}

    def start(self, target: ProbeTarget, report: Callable[[Verdict], None]) -> None:
        self.targets[target.replica_id] = target
        self.reports[target.replica_id] = report
        if self.ready:
            asyncio.get_running_loop().call_soon(self.tell, target.replica_id, Verdict(True, True, ""))

    def stop(self, replica_id: str, container: str) -> None:
        self.reports.pop(replica_id, None)

    def tell(self, replica_id: str, verdict: Verdict) -> None:
        if report := self.reports.get(replica_id):
            report(verdict)


class Drains:
    """Remembers who was drained, and lets nobody go while `gate` is closed."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, replica_id: str, deadline: float) -> None:
        self.asked.append(replica_id)
        await self.gate.wait()


class Program:
    """A Python program in a file, and its Deployment."""

    def __init__(self, folder: Path, text: str = SLEEPER) -> None:
        self.path = folder / "program.py"
        self.path.write_text(text)

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-S", str(self.path))

    def deployment(self, replicas: int = 1, **changes: Any) -> Deployment:
        container = Container(name="main", image="shop:v1", command=self.command)
        grace = changes.pop("grace", 5)
        strategy = changes.pop("strategy", ROLLING)
        return deployment(replicas, msgspec.structs.replace(container, **changes), grace=grace, strategy=strategy)


def deployment(
    replicas: int, *containers: Container, grace: int = 5, strategy: DeploymentStrategy = ROLLING
) -> Deployment:
    labels = {"app": "shop"}
    spec = PodSpec(containers=containers, termination_grace_period_seconds=grace)
    return Deployment(
        metadata=ObjectMeta(name="shop", namespace="default"),
        spec=DeploymentSpec(
            selector=LabelSelector(match_labels=labels),
            template=PodTemplate(spec=spec, metadata=PodMetadata(labels=labels)),
            replicas=replicas,
            strategy=strategy,
        ),
    )


def service(*ports: ServicePort, name: str = "shop-svc", address: str = "127.96.0.9") -> Service:
    return Service(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ServiceSpec(selector={"app": "shop"}, ports=ports, cluster_ip=address),
    )


def config(*objects: Any, node: NodeConfigSpec = SETTINGS, folder: Path | None = None) -> ConfigSet:
    """A ConfigSet of Deployments and Services; with `folder`, both came from files in it."""
    deployments = {
        Named(item.metadata.namespace, item.metadata.name): item for item in objects if isinstance(item, Deployment)
    }
    services = {
        Named(item.metadata.namespace, item.metadata.name): item for item in objects if isinstance(item, Service)
    }
    sources = {}
    if folder is not None:
        sources = {ObjectKey("NodeConfig", "", "here"): Source(str(folder / "node.yaml"), 1, 1)} | {
            ObjectKey("Deployment", *key): Source(str(folder / "shop.yaml"), 3, 1) for key in deployments
        }
    return ConfigSet(deployments=deployments, services=services, node=node, sources=sources)


PORT = ContainerPort(container_port=8080, name="http")


def make_node(folder: Path, prober: Any = None, drained: Any = None, **changes: Any) -> Node:
    random = Random(7)
    parts: dict[str, Any] = {
        "keeper": Keeper(random),
        "prober": FakeProber() if prober is None else prober,
        "logs": LogFolder(folder / "logs"),
        "ports": PortPool(Random()),
        "drained": drained or Drains(),
        "random": random,
        "environment": {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "SECRET": "mine"},
        "restarts": QUICK,
    }
    return Node(**parts | changes)


@asynccontextmanager
async def platform_in(folder: Path, prober: Any = None, drained: Any = None) -> AsyncIterator[ProcessPlatform]:
    platform = ProcessPlatform(
        state=folder / "state",
        prober=FakeProber() if prober is None else prober,
        drained=drained or Drains(),
        random=Random(7),
        restarts=QUICK,
    )
    try:
        yield platform
    finally:
        await platform.close()


async def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """The first true outcome of `condition`."""
    async with asyncio.timeout(seconds):
        while not (outcome := condition()):
            await asyncio.sleep(0.01)
        return outcome


def alive(pid: int) -> bool:
    """Whether a process runs; zombies do not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
