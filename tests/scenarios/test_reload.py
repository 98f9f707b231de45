"""Manifests edited while they are served, by a real ``weft up``: what changes, what stays, and nothing that breaks."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import authority
from tests.discovery.probes.servers import serving
from tests.scenarios.dialogue import read_reply
from tests.scenarios.editing import Folder, descriptors, memory, ports, reads, serving_of, wait_reload
from tests.scenarios.manifests import deployment, endpoint_slice, service
from tests.scenarios.weft import PATIENCE, Weft, alive, ask, run_weft, wait_for
from tests.scenarios.world import all_well, load, ready, until

MIB = 1024 * 1024
APP = "Service", "app"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "manifests")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Of this folder each test changes what is its own; `app` stays as it is."""
    made = Folder(tmp_path_factory.mktemp("shared") / "manifests")
    made.put("app", deployment("app", 1), service("app", app="app"))
    return made


@pytest.fixture(scope="module")
def weft(shared: Folder) -> Iterator[Weft]:
    with serving_of(shared) as started:
        yield started
        assert started.stop() == 0


def status(weft: Weft) -> str:
    return run_weft("status", "--state", str(weft.state), "--window", "0.05", code=0).stdout


async def test_services_come_and_go(shared: Folder, weft: Weft) -> None:
    shared.put("more", service("more", {"http": 8080, "other": 8090}, app="app"))
    address = (await until(lambda: ports(weft, "more"), weft.told))["http"]
    assert (await asyncio.to_thread(ask, address)).status == 200
    shared.put("more", service("more", {"other": 8090}, app="app"))
    await until(lambda: "http" not in ports(weft, "more"), weft.told)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.to_thread(ask, address)
    shared.drop("more")
    await until(lambda: not ports(weft, "more"), weft.told)
    await until(lambda: "reloaded: 1 removed\n" in weft.out.read_text(), weft.told)
    assert "reloaded: 1 added\n" in weft.out.read_text()


async def test_replicas_are_replaced_without_a_failed_request(shared: Folder, weft: Weft) -> None:
    others = set(weft.replicas())
    shared.put("turned", deployment("turned", 2), service("turned", app="turned"))
    before = set(await until(lambda: len(now := ready(weft, "turned")) == 2 and now, weft.told))
    processes = set(weft.replicas()) - others
    loading = asyncio.ensure_future(load(weft.address("turned"), rate=150, seconds=4.0))
    shared.put("turned", deployment("turned", 3, VERSION="2"), service("turned", app="turned"))
    await until(lambda: len(now := set(ready(weft, "turned"))) == 3 and not now & before, weft.told)
    report = await loading
    assert all_well(report), report
    await until(lambda: not any(map(alive, processes)), weft.told)
    shared.put("turned", service("turned", app="turned"))
    await until(lambda: not any(map(alive, set(weft.replicas()) - others)), weft.told)
    shared.drop("turned")
    await until(lambda: not ports(weft, "turned"), weft.told)


async def test_a_mistake_takes_nothing_out_of_force_also_over_a_restart(folder: Folder) -> None:
    folder.put("app", deployment("app", 1), service("app", app="app"))
    good = (folder.path / "app.json").read_text()
    with serving_of(folder) as weft:
        address = weft.address("app")
        for mistake in ("{", good.replace('"ports"', '"prots"'), "[]"):
            before = reads(weft)
            folder.put_text("app", mistake)
            wait_reload(weft, before)
            assert ask(address).status == 200
        told = status(weft)
        assert "Service default/app: accepted: what is written has errors: its last good version is in force" in told
        assert "errors in the manifests, as read at 20" in told
        assert "\nweft_config_last_reload_successful 0\n" in weft.admin("/metrics").body.decode()
        assert weft.stop() == 0
    with serving_of(folder) as weft:
        assert ask(weft.address("app")).status == 200
        assert weft.address("app") == address
        folder.put_text("app", good)
        wait_for(lambda: "errors" not in status(weft), weft.told)
        assert "\nweft_config_last_reload_successful 1\n" in weft.admin("/metrics").body.decode()
        assert weft.stop() == 0


def test_a_newcomer_takes_no_address_from_who_has_it(shared: Folder, weft: Weft) -> None:
    """Its name comes first, and the address was given out, not written; `weft diff` says so too."""
    address, before = weft.address("app"), reads(weft)
    listed = json.loads(weft.admin("/api/v1/config").body)["objects"]
    given = next(each["object"]["spec"]["clusterIP"] for each in listed if (each["kind"], each["name"]) == APP)
    claiming = service("aaa", app="app")
    claiming["spec"]["clusterIP"] = given
    shared.put("aaa", claiming)
    try:
        wait_reload(weft, before)
        said = run_weft("diff", str(shared.path), "--state", str(weft.state), code=2)
        assert said.stdout == "nothing would change\n"
        assert f"{given} belongs to Service/default/app" in said.stderr
        assert weft.address("app") == address
        assert ask(address).status == 200
        assert '"aaa"' not in weft.admin("/api/v1/config").body.decode()
    finally:
        shared.drop("aaa")
    wait_for(lambda: "errors" not in status(weft), weft.told)


def test_a_hangup_reads_the_manifests_again(weft: Weft) -> None:
    before, objects, told = reads(weft), weft.admin("/api/v1/config").json["objects"], weft.out.read_text()
    weft.process.send_signal(signal.SIGHUP)
    wait_reload(weft, before)
    assert weft.admin("/api/v1/config").json["objects"] == objects
    assert weft.out.read_text() == told, "there is nothing to tell"


def test_what_needs_a_restart_is_said(shared: Folder, weft: Weft) -> None:
    before = reads(weft)
    shared.node(admin=f"{shared.network.prefix}.250:9901", trustedProxies=["127.0.0.0/8"])
    wait_for(lambda: "spec.admin: warning: weft must be started again" in weft.err.read_text(), weft.told)
    assert "spec.trustedProxies" not in weft.err.read_text()
    answer = ask(weft.address("app"), X_Forwarded_For="192.0.2.1")
    assert any("192.0.2.1" in line for line in answer.json["lines"]), "this one is in force"
    wait_reload(weft, before)
    before = reads(weft)
    shared.node()
    wait_reload(weft, before)


# -- ten changes a second


class Endpoint:
    """Serves requests and tunnels of the test, on one port."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" in head.lower():
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                while data := await reader.read(65_536):
                    writer.write(data)
                return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def ingress(paths: int) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    rules = [
        {"path": path, "pathType": "Prefix", "backend": backend} for path in ["/", *map("/{}".format, range(paths))]
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"rules": [{"http": {"paths": rules}}], "tls": [{"hosts": ["web.test"], "secretName": "web-tls"}]},
    }


class Editor:
    """Makes one change after the other, none of which may be felt by those who use what stays."""

    def __init__(self, folder: Folder, endpoints: list[int]) -> None:
        self._folder = folder
        self._endpoints = endpoints
        self._chance = random.Random(5)
        self._pairs = [authority().sign("web.test") for _ in range(2)]
        self._changes = (self.endpoints, self.routes, self.ports, self.policy)
        self.made = 0

    def start(self) -> None:
        self._folder.put("service", service("web", {"http": 8080}))
        self.endpoints()
        self.routes()
        self.certificate()

    def change(self) -> None:
        self._changes[self.made % len(self._changes)]()
        self.made += 1

    def endpoints(self) -> None:
        some = self._chance.sample(self._endpoints, self._chance.randint(1, len(self._endpoints)))
        self._folder.put("endpoints", *(endpoint_slice("web", {"http": port}) for port in some))

    def routes(self) -> None:
        self._folder.put("routes", ingress(self._chance.randint(1, 20)))

    def certificate(self) -> None:
        self._folder.put("certificate", self._chance.choice(self._pairs).manifest("web-tls"))

    def ports(self) -> None:
        numbers = self._chance.sample(range(8100, 8120), 3)
        self._folder.put("others", *(service(f"other-{n}", {"http": n}) for n in numbers))

    def policy(self) -> None:
        spec = {"targetRef": {"kind": "Service", "name": "web"}, "retries": {"attempts": self._chance.randint(1, 3)}}
        policy = {"apiVersion": "weft.dev/v1", "kind": "TrafficPolicy", "metadata": {"name": "web"}, "spec": spec}
        self._folder.put("policy", policy)


async def edit(editor: Editor, seconds: float) -> None:
    """Ten changes a second."""
    loop = asyncio.get_running_loop()
    began, made = loop.time(), editor.made
    while loop.time() < began + seconds:
        editor.change()
        await asyncio.sleep(max(began + (editor.made - made) / 10 - loop.time(), 0))


async def talk(address: str, enough: Callable[[int], bool]) -> None:
    """Say something through a WebSocket all the time, and hear it again, until it was so often `enough`."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    fields = b"Host: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    writer.write(b"GET /chat HTTP/1.1\r\n" + fields + b"\r\n")
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    for number in count():
        word = b"%08d" % number
        writer.write(word)
        async with asyncio.timeout(20):
            assert await reader.readexactly(8) == word
        if enough(number):
            writer.close()
            return
        await asyncio.sleep(0.02)


async def knock(address: str, tls: ssl.SSLContext | None, enough: Callable[[int], bool]) -> None:
    """One request after the other, each on a connection of its own, until so many were `enough`."""
    host, _, port = address.rpartition(":")
    name = "web.test" if tls else None
    for number in count():
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(host, int(port), ssl=tls, server_hostname=name)
            writer.write(b"GET /1/x HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n")
            reply = await read_reply(reader)
        assert reply.status == 200, reply
        writer.close()
        if enough(number):
            return
        await asyncio.sleep(0.02)


@asynccontextmanager
async def edited(folder: Folder) -> AsyncIterator[tuple[Weft, Editor]]:
    async with AsyncExitStack() as stack:
        endpoints = [await stack.enter_async_context(serving(Endpoint().serve)) for _ in range(3)]
        editor = Editor(folder, endpoints)
        editor.start()
        with serving_of(folder) as weft:
            yield weft, editor
            assert await asyncio.to_thread(weft.stop) == 0


async def test_ten_changes_a_second_break_nothing(folder: Folder, size: Callable[[int, int], int]) -> None:
    seconds = size(3, 600)
    async with edited(folder) as (weft, editor):
        address = await asyncio.to_thread(weft.address, "web")
        await edit(editor, 2)
        before = await asyncio.to_thread(lambda: (memory(weft), descriptors(weft), reads(weft)))
        over = asyncio.Event()
        async with asyncio.timeout(seconds + 2 * PATIENCE), asyncio.TaskGroup() as beside:
            for _ in range(3):
                beside.create_task(talk(address, lambda number: over.is_set() and number > 3 * seconds))
            public = f"{folder.network.node}:8080"
            beside.create_task(knock(public, None, lambda number: over.is_set() and number > 3 * seconds))
            loading = beside.create_task(load(address, rate=150, seconds=seconds + 1))
            await edit(editor, seconds)
            while await asyncio.to_thread(reads, weft) - before[2] <= seconds / 2:
                await edit(editor, 1)
            report = await loading
            over.set()
        assert all_well(report), report
        after = await asyncio.to_thread(lambda: (memory(weft), descriptors(weft)))
        assert after[1] - before[1] < 40
        assert after[0] - before[0] < 8 * MIB
        page = (await asyncio.to_thread(weft.admin, "/metrics")).body.decode()
        assert "\nweft_config_last_reload_successful 1\n" in page


async def test_certificates_change_while_they_are_used(folder: Folder, size: Callable[[int, int], int]) -> None:
    seconds = size(1, 60)
    async with edited(folder) as (weft, editor):
        before, over = await asyncio.to_thread(reads, weft), asyncio.Event()
        async with asyncio.TaskGroup() as beside:
            public, client = f"{folder.network.node}:8443", authority().client()
            beside.create_task(knock(public, client, lambda number: over.is_set() and number > 3 * seconds))
            for _ in range(seconds * 5):
                editor.certificate()
                await asyncio.sleep(0.2)
            await until(lambda: reads(weft) > before, weft.told)
            over.set()
