"""One etcd for a test, and registries that share it, in this process or in others."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from discovery.registry.etcd import Access, Etcd, Json
from discovery.registry.etcd_store import EtcdStore
from discovery.registry.store import StoreError
from tests.discovery.registry.registries import Registry, registry
from tests.interop.programs import free_ports

PREFIX = b"weft/"


class Server:
    """etcd with its data in a folder; ended and begun again at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client, self.peer = free_ports(2)
        self.url = f"http://127.0.0.1:{self.client}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        peer = f"http://127.0.0.1:{self.peer}"
        with (self.folder / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "etcd", "--data-dir", str(self.folder / "data"), "--listen-client-urls", self.url,
                    "--advertise-client-urls", self.url, "--listen-peer-urls", peer,
                    "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
                    "--heartbeat-interval", "50", "--election-timeout", "300",
                ],
                stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "1"},
            )  # fmt: skip

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def close(self) -> None:
        if self._process is not None:
            self.kill()

    def etcd(self) -> Etcd:
        return Etcd(Access((self.url,)))

    async def ready(self) -> None:
        """Until it answers."""
        etcd = self.etcd()
        async with asyncio.timeout(30):
            while not await _answers(etcd):
                await asyncio.sleep(0.05)
        await etcd.close()

    async def ask(self, path: str, body: Json) -> Json:
        """One call."""
        etcd = self.etcd()
        try:
            return await etcd.call(path, body)
        finally:
            await etcd.close()


async def _answers(etcd: Etcd) -> bool:
    try:
        await etcd.call("kv/range", {"key": "YQ=="}, seconds=1)
    except StoreError:
        return False
    return True


def store(server: Server, name: bytes, seed: int = 1) -> EtcdStore:
    """The store of one registry."""
    return EtcdStore(server.etcd(), PREFIX, name, random=Random(seed), clock=time.monotonic)


@asynccontextmanager
async def registries(server: Server, *names: bytes, least_lease: int = 30) -> AsyncIterator[list[Registry]]:
    """Registries in this process that share `server`."""
    async with AsyncExitStack() as stack:
        found = []
        for number, name in enumerate(names):
            made = store(server, name, number)
            stack.push_async_callback(made.close)
            found.append(await stack.enter_async_context(registry(made, least_lease=least_lease)))
        yield found
