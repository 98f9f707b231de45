"""The channel in a registry."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest

from config.configset import ConfigSet
from discovery.registry.documents import Documents
from discovery.registry.journal import Journal
from sidecar.channel.received import Received
from sidecar.channel.registry_end import RegistryEnd
from sidecar.documents import Refused
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


async def test_a_store_that_keeps_no_manifests_says_so(tmp_path: Path) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    end = RegistryEnd(sock, tmp_path, Zones(None), Received(tmp_path, lambda: None, None), ConfigSet)
    await end.start()
    with pytest.raises(Refused, match="keeps no manifests"):
        await end.writes()["/api/v1/manifests"]("POST", {}, BODY)
    await end.close()
