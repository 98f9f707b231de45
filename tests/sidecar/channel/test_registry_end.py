"""The channel in a registry."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.autoscaling import HorizontalPodAutoscaler
from config.resources.core import ConfigMap
from discovery.endpoint import WorkloadRef
from discovery.platforms.base import ContainerUsage, WorkloadStatus
from discovery.platforms.swarm.labels import NAMES
from discovery.registry.documents import Documents
from discovery.registry.journal import Journal
from sidecar.autoscaling import Autoscaling
from sidecar.channel import registry_end
from sidecar.channel.messages import Wanted
from sidecar.channel.received import Received
from sidecar.channel.registry_end import RegistryEnd
from sidecar.documents import Refused
from tests.mesh.autoscaling.objects import Written, metric
from tests.scenarios.manifests import service
from tests.sidecar.channel.channels import until

BODY = json.dumps({"files": [{"name": "a", "text": json.dumps(service("web"))}]}).encode()


class Zones:
    def __init__(self, documents: Documents | None) -> None:
        self.documents = documents

        self.acts = ""

    def standby(self) -> str:
        return self.acts

    def serial(self) -> int:
        return 7

    def node_names(self) -> list[str]:
        return ["a"]

    def last_for(self, name: str) -> None:
        return None


async def test_what_is_applied_is_in_force_here_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "store")
    await journal.open([])
    received = Received(tmp_path, lambda: None, None)
    received.prepare()
    sock = socket.create_server(("127.0.0.1", 0))
    zones = Zones(journal)
    end = RegistryEnd(sock, tmp_path, zones, received, ConfigSet)
    await end.start()
    assert end.peers == f"127.0.0.1:{sock.getsockname()[1]}"
    async with asyncio.TaskGroup() as beside:
        running = beside.create_task(end.run())
        assert (await end.writes()["/api/v1/manifests"]("POST", {}, BODY))[0] == 200
        await until(lambda: b'"web"' in received.path.read_bytes())
        zones.acts = "the registry b acts"
        await until(lambda: end.nodes.standby == "the registry b acts")
        running.cancel()
    assert {"/api/v1/nodes", "/api/v1/manifests"} == set(end.answers())
    assert await end.nodes.confirmed(7, 0.0) == ()
    await end.close()
    await journal.close()


class Sleeping:
    """A platform where nothing runs; see `ScaleTarget`."""

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        if workload.name == "gone":
            raise KeyError(workload)
        return WorkloadStatus(workload, 0)

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        """Nothing is told."""

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        return {}


async def test_nodes_are_told_what_managers_alone_know_of_a_swarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_end, "LOOK_SECONDS", 0.01)
    names = {"default.blue": "shop/front"}
    scalers = {Named("default", name): swarm_scaler(name) for name in ("blue", "gone", "plain")}
    found = ConfigMap(ObjectMeta(name=NAMES.name, namespace=NAMES.namespace), names)
    config_set = ConfigSet(autoscalers=scalers, config_maps={NAMES: found})
    journal = Journal(tmp_path / "store")
    await journal.open([])
    received = Received(tmp_path, lambda: None, None)
    received.prepare()
    autoscaling, zones = Autoscaling(config_set, None, Sleeping()), Zones(journal)
    end = RegistryEnd(
        socket.create_server(("127.0.0.1", 0)), tmp_path, zones, received, lambda: config_set,
        autoscaling=autoscaling,
    )  # fmt: skip
    await end.start()
    running = asyncio.create_task(end.run())
    try:
        await until(lambda: bool(end.nodes.autoscaled.workloads))
        assert end.nodes.autoscaled.incomplete, "what is stored is not in force yet"
        await until(lambda: received.written)
        received.reading()
        end.in_force()
        await until(lambda: not end.nodes.autoscaled.incomplete)
        zones.acts = "the registry b acts"
        await until(lambda: end.nodes.autoscaled.incomplete)
        autoscaling.stop()
        await asyncio.sleep(0.05)
        assert end.nodes.autoscaled.workloads, "a registry that ends releases nothing"
    finally:
        running.cancel()
        await asyncio.wait([running])
        await end.close()
        await journal.close()
    assert end.nodes.autoscaled.workloads == (
        Wanted("SwarmService:default/blue", True, services=("shop/front",), size=0),
        Wanted("SwarmService:default/gone", True, services=("default/gone",)),
        Wanted("SwarmService:default/plain", True, services=("default/plain",), size=0),
    )


def swarm_scaler(name: str) -> HorizontalPodAutoscaler:
    """Of a Swarm service that may sleep."""
    made = Written((metric("pods", 1),), least=0).made()
    target = replace(made.spec.scale_target_ref, kind="SwarmService", name=name)
    return replace(
        made, metadata=ObjectMeta(name=name, namespace="default"), spec=replace(made.spec, scale_target_ref=target)
    )


async def test_a_store_that_keeps_no_manifests_says_so(tmp_path: Path) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    end = RegistryEnd(sock, tmp_path, Zones(None), Received(tmp_path, lambda: None, None), ConfigSet)
    await end.start()
    with pytest.raises(Refused, match="keeps no manifests"):
        await end.writes()["/api/v1/manifests"]("POST", {}, BODY)
    await end.close()
