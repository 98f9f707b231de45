"""A registry's end of the channel on a real socket with real TLS, and nodes that connect to it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from mesh.stats import BackendFrame, StatsFrame
from sidecar.channel.certificate import certificate
from sidecar.channel.client import Channel
from sidecar.channel.credentials import Credentials, Token
from sidecar.channel.messages import Manifest, Manifests
from sidecar.channel.nodes import Nodes
from sidecar.channel.report import Report
from sidecar.channel.server import ChannelServer
from sidecar.channel.shelf import Shelf
from sidecar.options import Address

PATIENCE = 20.0


def manifest(kind: str, name: str, body: dict[str, Any] | None = None, namespace: str = "default") -> Manifest:
    document = {"kind": kind, "metadata": {"name": name, "namespace": namespace}, **(body or {})}
    return Manifest(kind, namespace, name, f"{name}.yaml:1:1", msgspec.Raw(json.dumps(document).encode()))


class Registry:
    """The registry's end; `leases` are the names in nodes.Z, `serial` that of the zone."""

    def __init__(self, state: Path) -> None:
        self.pair = certificate(state)
        self.credentials = Credentials(state)
        self.shelf = Shelf(1)
        self.leases: set[str] = set()
        self.serial = 7
        self.nodes = Nodes(lambda: self.leases, asyncio.get_running_loop().time)
        self.server = ChannelServer(self.credentials, self.shelf, self.nodes, lambda: self.serial)
        self.address = Address("127.0.0.1", 0)

    async def start(self, port: int = 0) -> None:
        sock = socket.create_server(("127.0.0.1", port))
        self.address = Address(*sock.getsockname())
        await self.server.start(sock, self.pair.context())

    def token(self, node: str, *runs: str) -> Token:
        return Token(node, self.credentials.create(node, "2026-01-01T00:00:00Z", runs), self.pair.fingerprint)


class Node:
    """A node's end, and all that it was sent."""

    def __init__(
        self, registry: Registry, token: Token, runs: Iterable[str] = (), seed: int = 1, others: Iterable[Address] = (),
        *, partial: bool = False,
    ) -> None:  # fmt: skip
        """`others`: where it tries after `registry`."""
        self.heard: list[Manifests] = []
        self.backends: list[BackendFrame] = []
        self.channel = Channel(
            [registry.address, *others], token, self, Report(self._frame), Random(seed), runs=runs,
            partial=partial,
        )  # fmt: skip

    def take(self, message: Manifests) -> None:
        self.heard.append(message)

    def interrupted(self) -> None:
        """What was not complete comes again, whole."""

    def _frame(self) -> Any:
        yield
        return StatsFrame(list(self.backends))

    def names(self) -> list[str]:
        """Of all that it has by now, in order."""
        there: dict[Any, str] = {}
        for message in self.heard:
            if message.whole:
                there = {}
            for each in message.put:
                there[each.key] = f"{each.kind}/{each.name}"
            for key in message.gone:
                del there[key]
        return sorted(there.values())


@asynccontextmanager
async def registry(state: Path) -> AsyncIterator[Registry]:
    made = Registry(state)
    await made.start()
    try:
        yield made
    finally:
        await made.server.close()


@asynccontextmanager
async def connected(*nodes: Node) -> AsyncIterator[None]:
    """The nodes run; they have been welcomed."""
    async with asyncio.TaskGroup() as beside:
        tasks = [beside.create_task(node.channel.run()) for node in nodes]
        try:
            for node in nodes:
                await until(lambda node=node: node.channel.connected)  # type: ignore[misc]
            yield
        finally:
            for task in tasks:
                task.cancel()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)
