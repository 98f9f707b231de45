"""One etcd for a test, and registries that share it, in this process or in others."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from random import Random

from discovery.registry.etcd.client import Access, Etcd, Json
from discovery.registry.etcd.store import EtcdStore
from discovery.registry.store import StoreError
from tests.certificates import Authority
from tests.discovery.registry.registries import Registry, registry
from tests.interop.programs import free_ports
from tests.policy.source import ROOT

PREFIX = b"weft/"


class Server:
    """etcd with its data in a folder; ended and begun again at will."""

    def __init__(self, folder: Path, authority: Authority | None = None) -> None:
        """`authority`: signs etcd's certificate, and those of all whom it lets in; None: no TLS."""
        self.folder = folder
        client, self.peer = free_ports(2)
        self.url = f"http{'s' if authority else ''}://127.0.0.1:{client}"
        self._tls = [] if authority is None else self._secured(authority)
        self._process: subprocess.Popen[bytes] | None = None

    def _secured(self, authority: Authority) -> list[str]:
        pair = authority.sign("127.0.0.1", "localhost")
        files = {"ca.crt": authority.certificate, "tls.crt": pair.certificate, "tls.key": pair.key}
        for name, text in files.items():
            (self.folder / name).write_bytes(text)
        ca, chain, key = (str(self.folder / name) for name in files)
        return ["--cert-file", chain, "--key-file", key, "--trusted-ca-file", ca, "--client-cert-auth"]

    def start(self) -> None:
        peer = f"http://127.0.0.1:{self.peer}"
        with (self.folder / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "etcd", "--data-dir", str(self.folder / "data"), "--listen-client-urls", self.url,
                    "--advertise-client-urls", self.url, "--listen-peer-urls", peer,
                    "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
                    "--heartbeat-interval", "50", "--election-timeout", "300", "--bcrypt-cost", "4", *self._tls,
                ],
                stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "1"},
            )  # fmt: skip

    def revive(self) -> None:
        """Have it run, whatever a test that failed has done to it."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        else:
            self.signal(signal.SIGCONT)

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

    async def ready(self, etcd: Etcd | None = None) -> None:
        """Until it answers; `etcd`: who asks, and is closed then."""
        etcd = etcd or self.etcd()
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


class Gated(Etcd):
    """A client whose watch can be cut off."""

    def __init__(self, url: str) -> None:
        super().__init__(Access((url,)))
        self.canceled = 0
        self._is_open = True

    def shut(self) -> None:
        self._is_open = False
        self.hang_up()

    def open(self) -> None:
        self._is_open = True

    async def watch(self, body: Json) -> AsyncGenerator[Json]:
        if not self._is_open:
            raise StoreError("the network is away")
        async with aclosing(super().watch(body)) as watch:
            async for said in watch:
                self.canceled += bool(said.get("canceled"))
                yield said


@asynccontextmanager
async def joined(etcd: Etcd, name: bytes, seed: int = 1, least_lease: int = 30) -> AsyncIterator[Registry]:
    """One registry on `etcd`."""
    store = EtcdStore(etcd, PREFIX, name, random=Random(seed), clock=time.monotonic)
    try:
        async with registry(store, least_lease=least_lease) as found:
            yield found
    finally:
        await store.close()


@asynccontextmanager
async def registries(server: Server, *names: bytes) -> AsyncIterator[list[Registry]]:
    """Registries in this process that share `server`."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(joined(server.etcd(), each)) for each in names]


class Process:
    """A registry in a process of its own."""

    def __init__(self, server: Server, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.interop.etcds", server.url, name], stdout=subprocess.PIPE, cwd=ROOT
        )
        self.address = ("127.0.0.1", 0)

    def ready(self) -> None:
        """Until it says where it is."""
        assert self._process.stdout is not None
        host, port = self._process.stdout.readline().split()
        self.address = (host.decode(), int(port))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


async def _serve(url: str, name: str) -> None:
    async with joined(Etcd(Access((url,))), name.encode()) as found:
        print(found.host, found.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
