"""A node in this process: one Service whose endpoint an EndpointSlice gives, behind a real listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from config import aside
from config.configset import ConfigSet
from config.meta import Named, ObjectKey, ObjectMeta, Source
from config.resources.core import (
    SERVICE_NAME_LABEL,
    EndpointPort,
    EndpointSlice,
    Secret,
    Service,
    ServicePort,
    ServiceSpec,
    SliceEndpoint,
)
from sidecar.assembly import Assembly
from sidecar.state import StateFolder
from sidecar.written import Written
from tests.conftest import SOAK
from tests.scenarios import reading
from tests.scenarios.prepared import readers
from tests.scenarios.weft import Network

START = aside._start
WEB = Named("default", "web")


@pytest.fixture(scope="session", autouse=not SOAK)
def _prepared_readers() -> Iterator[None]:
    """Manifests are read by forks, as tests/config/test_aside.py proves that a reader of its own does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aside, "_start", reading.started(readers()))
        yield


@pytest.fixture
def own_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Manifests are read by an interpreter of its own."""
    monkeypatch.setattr(aside, "_start", START)


def config_set(address: str, endpoint_port: int) -> ConfigSet:
    meta = ObjectMeta(name="web", namespace="default", labels={SERVICE_NAME_LABEL: "web"})
    ports = (ServicePort(port=8999, name="http"), ServicePort(port=8998, name="sctp", protocol="SCTP"))
    behind = EndpointSlice(
        metadata=meta,
        address_type="IPv4",
        endpoints=(SliceEndpoint(addresses=("127.0.0.1",)),),
        ports=(EndpointPort(port=endpoint_port, name="http"),),
    )
    secret = Secret(metadata=ObjectMeta(name="web", namespace="default"), string_data={"password": "hunter2"})
    keys = (ObjectKey(kind, *WEB) for kind in ("Service", "EndpointSlice", "Secret"))
    return ConfigSet(
        services={WEB: Service(metadata=meta, spec=ServiceSpec(cluster_ip=address, ports=ports))},
        endpoint_slices={WEB: behind},
        secrets={WEB: secret},
        sources={key: Source("web.yaml", 1, 1) for key in keys},
    )


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    writer.close()
    await writer.wait_closed()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Assembly]:
    state = StateFolder.open(tmp_path / "state")
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        written = Written(config_set(f"{Network.random().prefix}.9", port), ())
        made = Assembly(written, state)
        await made.start()
        await made.start_platform()
        yield made
        await made.stop()
    state.close()
