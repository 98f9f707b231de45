"""The inbound listeners of a node: open before anything is published, closed after, on the same ports for good."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import ServicePort
from config.settings import InboundSettings, NodeConfigSpec
from discovery.endpoint import Endpoint, WorkloadRef
from mesh.listener import Listeners
from mesh.proxy import Proxy
from mesh.sockets import BindError, bind
from sidecar import inbound as module
from sidecar.errors import UserError
from sidecar.inbound import FILE, Inbound, load_ports
from tests.mesh.relaying import until

SHOP, CART = Named("default", "shop"), Named("default", "cart")
WEB = (ServicePort(port=80, name="web"),)
WORKLOAD = WorkloadRef("Deployment", "default", "shop")
FIRST, SECOND = (Endpoint(f"127.97.0.{n}", 8080, workload=WORKLOAD, replica_id=f"shop-{n}") for n in (1, 2))


class Opened:
    def __init__(self, folder: Path, **settings: Any) -> None:
        loop = asyncio.get_running_loop()
        self.listeners = Listeners(Proxy(loop, loop.time), limit=1000)
        node = NodeConfigSpec(
            node_addresses=("127.0.0.1",), inbound=InboundSettings(reach=settings.pop("reach", "always")), **settings
        )
        self.inbound = Inbound(ConfigSet(node=node), self.listeners.inbound, folder)

    def published(self, *endpoints: Endpoint, name: Named = SHOP) -> list[tuple[str, int]]:
        told = self.inbound.publish(name, WEB, {"web": endpoints} if endpoints else {})
        return [endpoint.where for endpoint in told.get("web", ())]


@asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncIterator[Opened]:
    made = Opened(folder, **settings)
    running = asyncio.create_task(made.inbound.run())
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        made.inbound.close()
        made.listeners.abort()


def accepts(where: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(where) == 0


@contextmanager
def taken(where: tuple[str, int]) -> Iterator[None]:
    with socket.socket() as other:
        other.bind(where)
        other.listen()
        yield


async def test_what_is_published_can_be_dialled_already(tmp_path: Path) -> None:
    async with opened(tmp_path) as node:
        first, second = node.published(FIRST, SECOND)
        assert first != second
        assert accepts(first)
        assert accepts(second)


async def test_a_listener_is_open_for_as_long_as_any_service_has_the_endpoint(tmp_path: Path) -> None:
    async with opened(tmp_path) as node:
        (where,) = node.published(FIRST)
        assert node.published(FIRST, name=CART) == [where]
        assert node.published() == []
        assert accepts(where)
        assert node.published(name=CART) == []
        assert not accepts(where)


async def test_a_replica_gets_the_port_of_one_that_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as node:
        (where,) = node.published(FIRST)
        node.published()
        assert node.published(SECOND) == [where]


async def test_ports_are_the_same_after_a_restart_and_nobody_elses(tmp_path: Path) -> None:
    async with opened(tmp_path) as node:
        before = node.published(FIRST, SECOND)
        await until((tmp_path / FILE).exists)
    other = Endpoint("127.97.0.1", 8080, workload=WORKLOAD._replace(name="cart"))  # which has the address now
    async with opened(tmp_path) as node:
        (elsewhere,) = node.published(other, name=CART)
        assert elsewhere not in before
        assert node.published(FIRST, SECOND) == before


async def test_a_port_that_is_taken_is_passed_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as node:
        before = node.published(FIRST)
        await until((tmp_path / FILE).exists)
    with taken(before[0]):
        async with opened(tmp_path) as node:
            (where,) = node.published(FIRST)
            assert where not in before
            assert accepts(where)


async def test_what_cannot_be_opened_is_not_published_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    refusing = True

    def binder(*args: Any) -> Any:
        if refusing:
            raise BindError("127.0.0.1 is not an address of this machine")
        return bind(*args)

    async with opened(tmp_path) as node:
        node.listeners.inbound._binder = binder
        again: list[Named] = []
        node.inbound.again = again.extend
        assert node.published(FIRST) == []
        await until(lambda: again)
        assert set(again) == {SHOP}
        refusing = False
        assert accepts(node.published(FIRST)[0])
    assert caplog.text.count("are not published") == 1


async def test_on_one_machine_nothing_is_opened(tmp_path: Path) -> None:
    async with opened(tmp_path, reach="auto") as node:
        assert node.published(FIRST) == [FIRST.where]
        assert len(node.listeners.inbound) == 0


async def test_what_is_told_of_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as node:
        (where,) = node.published(FIRST)
        node.published(FIRST, name=CART)
        status, document = node.inbound.document()
        assert (status, document["address"]) == (200, "127.0.0.1")
        assert document["listeners"] == [
            {
                "listener": f"{where[0]}:{where[1]}",
                "transport": "TCP",
                "endpoint": "127.97.0.1:8080",
                "services": ["default/cart", "default/shop"],
                "connections": 0,
            }
        ]
        assert next(family.name for family in node.inbound.families()) == "weft_inbound_listeners"


async def test_an_address_that_nobody_can_dial_is_told_to_the_user(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    listeners = Listeners(Proxy(loop, loop.time), limit=1000)
    with pytest.raises(UserError, match="nodeAddresses"):
        Inbound(ConfigSet(node=NodeConfigSpec(node_addresses=("0.0.0.0",))), listeners.inbound, tmp_path)
    listeners.abort()


@pytest.mark.parametrize("content", ["", "[]", '{"ports": {"shop": "x"}}', "[" * 100_000])
def test_a_file_that_cannot_be_read_is_told_and_left(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(content)
    assert load_ports(tmp_path / FILE) == {}
    assert "given out anew" in caplog.text
