"""From what was written to a served address and back to nothing, in this process."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import Source
from config.settings import NodeConfigSpec
from sidecar.errors import UserError
from sidecar.lifecycle import Lifecycle
from sidecar.options import Address, Options
from sidecar.roles import REGISTRY
from sidecar.serving import _reload_all, serve
from sidecar.state import StateFolder, read_admin
from sidecar.written import Manifests, Written
from tests.scenarios.weft import Network
from tests.sidecar.conftest import config_set
from tests.sidecar.making import taken_port


def options(tmp_path: Path, port: int) -> Options:
    return Options(tmp_path, Address("127.0.0.1", port), "", "text")


async def test_it_serves_until_its_life_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/somewhere")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    state, lifecycle = StateFolder.open(tmp_path), Lifecycle()
    written = Written(config_set(f"{Network.random().prefix}.9", 1), ())
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        manifests = Manifests([tmp_path / "none.yaml"], state)
        tasks.create_task(serve(written, manifests, state, options(tmp_path, 0), lifecycle))
        while "ready in" not in (told := capsys.readouterr().out):
            await asyncio.sleep(0.01)
        assert "curl http://" in told
        host, _, port = read_admin(tmp_path).rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
        lifecycle.stop.set()
    assert capsys.readouterr().out == "stopped\n"
    assert os.environ["SSL_CERT_FILE"] == "/somewhere"
    assert "SSL_CERT_DIR" not in os.environ
    state.close()


async def test_a_registry_says_where_it_listens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state, lifecycle = StateFolder.open(tmp_path), Lifecycle()
    dns_at = Network.random().dns
    written = Written(ConfigSet(node=NodeConfigSpec(dns=dns_at)), ())
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        manifests = Manifests([tmp_path / "none.yaml"], state)
        serving = serve(written, manifests, state, options(tmp_path, 0), lifecycle, role=REGISTRY)
        tasks.create_task(serving)
        while "ready in" not in (told := capsys.readouterr().out):
            await asyncio.sleep(0.01)
        lifecycle.stop.set()
    assert told.startswith(f"DNS  {dns_at}\nready in")
    state.close()


async def test_a_taken_address_ends_it_before_anything_runs(tmp_path: Path) -> None:
    state = StateFolder.open(tmp_path)
    written = Written(config_set(f"{Network.random().prefix}.9", 1), ())
    with taken_port() as port, pytest.raises(UserError, match="the admin address"):
        await serve(written, Manifests([tmp_path / "none.yaml"], state), state, options(tmp_path, port), Lifecycle())
    assert read_admin(tmp_path) == ""
    state.close()


class Told:
    """Both a process and its end of the channel: what they are told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def reload(self, written: Written) -> None:
        self.told.append("faults" if written.failed else "manifests")

    def in_force(self) -> None:
        self.told.append("in force")


async def test_what_could_not_be_read_is_not_said_to_be_in_force() -> None:
    told: Any = Told()
    fault = Fault("error", Source("", 1, 1), "the reader ended before it was done")
    for written in (Written(ConfigSet(), ()), Written(ConfigSet(), (fault,), read=False)):
        await _reload_all(told, told, written)
    assert told.told == ["manifests", "in force", "faults"]
