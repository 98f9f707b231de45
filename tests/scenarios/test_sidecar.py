"""Sidecars: an application of its own process is registered, guarded, and let go when nobody needs it any more."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

from sidecar import inquiries
from tests.mesh.relaying import closed_port
from tests.scenarios import test_channel
from tests.scenarios.editing import Folder, ports
from tests.scenarios.manifests import APPLICATION, service
from tests.scenarios.test_nodes import APP, LEASE, Mesh, address, answering, asked, mesh, wait_endpoints
from tests.scenarios.weft import PATIENCE, SOAK, Weft, alive, ask, running, wait_for
from tests.scenarios.world import all_well, endpoints, load, ready

OTHER = service("other", app="other")
NOBODY = service("nobody", app="nobody")
HEADLESS = service("headless", app="headless")
HEADLESS["spec"]["clusterIP"] = "None"
DOMAIN = "cluster.local"


def sidecar(
    world: Mesh, name: str, *options: str, port: int = 0, fresh: bool = SOAK, of: str = "app"
) -> AbstractContextManager[Weft]:
    """A sidecar of the Service `of`, with an application that says that it is `name`."""
    folder = Folder(
        world.folder / name, nodeName=name, registry={"servers": [world.registry_folder.network.dns], "lease": LEASE}
    )
    folder.put("app", APP, OTHER, NOBODY, HEADLESS)
    command = words(name, port or closed_port(), *options, of=of)
    return running(folder.path, folder.network, *command, role="sidecar", fresh=fresh)


def words(name: str, port: int, *options: str, of: str = "app") -> tuple[str, ...]:
    """The command line of a sidecar of the Service `of`."""
    variables = ("HOST=127.0.0.1", f"PORT_HTTP={port}", f"HOSTNAME={name}")
    command = ("--", "env", *variables, sys.executable, "-S", str(APPLICATION))
    return "--service", f"default/{of}", "--port", f"http={port}", "--probe", "http:/healthz", *options, *command


def application(weft: Weft) -> int:
    """The process id of what stands beside the sidecar."""
    children = Path(f"/proc/{weft.process.pid}/task/{weft.process.pid}/children").read_text().split()
    (found,) = (child for child in children if str(APPLICATION) in Path(f"/proc/{child}/cmdline").read_text())
    return int(found)


def test_others_reach_it_through_its_inbound_listener(tmp_path: Path) -> None:
    with mesh(tmp_path) as world:
        world.registry()
        with sidecar(world, "first") as first, sidecar(world, "second") as second:
            _, node = world.node("a")
            world.wait()
            wait_endpoints(node, 2)
            assert {answering(node) for _ in range(10)} == {"first", "second"}
            told = {each["address"]: each for each in endpoints(node, "app")}
            assert told.keys() == {first.network.node, second.network.node}
            assert {answering(first) for _ in range(10)} == {"first", "second"}
            listed = first.admin("/api/v1/inbound").json["listeners"]
            assert [each["services"] for each in listed] == [["default/app"]]
            page = first.admin("/metrics").body.decode()
            assert (
                'weft_inbound_connections_total{namespace="default",service="app",port="http",transport="TCP"}' in page
            )
            child = application(first)
            assert first.stop() == 0
            assert not alive(child)
            wait_endpoints(node, 1)
            assert {answering(node) for _ in range(5)} == {"second"}


def test_its_exit_code_is_that_of_the_application(tmp_path: Path) -> None:
    with mesh(tmp_path) as world:
        world.registry()
        with sidecar(world, "first") as first:
            _, node = world.node("a")
            world.wait()
            wait_endpoints(node, 1)
            os.kill(application(first), signal.SIGKILL)
            assert first.process.wait(PATIENCE) == 128 + signal.SIGKILL
            wait_endpoints(node, 0)
            assert "ended by itself (signal 9)" in first.told()


def test_an_application_does_not_outlive_its_sidecar(tmp_path: Path) -> None:
    with mesh(tmp_path) as world:
        world.registry()
        with sidecar(world, "first", fresh=True) as first:
            child = application(first)
            first.process.kill()
            wait_for(lambda: not alive(child))


def test_nobody_notices_that_sidecars_are_restarted(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    async def traffic(world: Mesh, where: str) -> None:
        loading = asyncio.create_task(load(where, "/slow?ms=20", rate=50, seconds=size(3, 6)))
        await asyncio.to_thread(restarts, world)
        assert all_well(await loading)

    def restarts(world: Mesh) -> None:
        for turn in range(size(1, 3)):
            with sidecar(world, f"turn-{turn}") as weft:
                wait_endpoints(node, 2)
                assert weft.stop() == 0
            wait_endpoints(node, 1)

    with mesh(tmp_path) as world:
        world.registry()
        with sidecar(world, "first"):
            _, node = world.node("a")
            world.wait()
            wait_endpoints(node, 1)
            asyncio.run(traffic(world, address(node)))


def test_a_service_is_learned_when_something_is_sent_to_it(tmp_path: Path) -> None:
    def held(weft: Weft) -> int:
        return int(weft.admin("/api/v1/dns").json["zones"]["endpoints"]["names"])

    with mesh(tmp_path) as world:
        world.registry()
        with (
            sidecar(world, "other", of="other") as other,
            sidecar(world, "first") as first,
            sidecar(world, "named", "--use", "other") as named,
        ):
            wait_for(lambda: len(ready(named, "other")) == 1, named.told)
            wait_for(lambda: len(ready(first, "app")) == 2, first.told)
            assert endpoints(first, "other") == []
            before = held(first)
            assert ask(ports(first, "other")["http"]).json["replica"] == "other"
            assert len(ready(first, "other")) == 1
            assert held(first) > before
            assert other.stop() == 0
            wait_for(lambda: not endpoints(first, "other"), first.told)
            assert ask(ports(first, "other")["http"]).status == 503
            began = time.monotonic()
            answer = ask(ports(first, "nobody")["http"])
            assert (answer.status, "no ready endpoint" in answer.fields["proxy-status"]) == (503, True)
            assert time.monotonic() - began < PATIENCE / 4


def test_a_headless_service_is_learned_when_its_name_is_asked_for(tmp_path: Path) -> None:
    with mesh(tmp_path) as world:
        world.registry()
        with sidecar(world, "behind", of="headless") as behind, sidecar(world, "first") as first:
            wait_for(lambda: len(ready(behind, "headless")) == 1, behind.told)
            written = f"_http._tcp.headless.default.endpoints.{DOMAIN}"
            for name, kind in ((f"headless.default.svc.{DOMAIN}", "A"), (written, "SRV")):
                assert len(asked(first, name, kind).answer) == 1, name
            began = time.monotonic()
            assert not asked(first, f"_http._tcp.nobody.default.endpoints.{DOMAIN}", "SRV").answer
            assert time.monotonic() - began < inquiries.PATIENCE
            assert not asked(first, f"nothing.default.svc.{DOMAIN}").answer


def test_an_unready_application_gets_no_request(tmp_path: Path) -> None:
    with mesh(tmp_path) as world:
        world.registry()
        port = closed_port()
        with sidecar(world, "first", port=port):
            _, node = world.node("a")
            world.wait()
            wait_endpoints(node, 1)
            ask(f"127.0.0.1:{port}", "/unready")
            wait_for(lambda: ask(address(node)).status == 503, node.told)
            ask(f"127.0.0.1:{port}", "/ready")
            wait_for(lambda: ask(address(node)).status == 200, node.told)


def test_all_nodes_confirm_before_its_application_ends(tmp_path: Path) -> None:
    joined = test_channel.Mesh(tmp_path)
    try:
        joined.apply(APP)
        with beside(joined, "first") as first, beside(joined, "second"):
            node = joined.node("a", objects=(APP,))
            wait_endpoints(node, 2)

            async def traffic() -> None:
                loading = asyncio.create_task(load(address(node), "/slow?ms=50", rate=50, seconds=2))
                await asyncio.to_thread(first.stop)
                assert all_well(await loading)

            asyncio.run(traffic())
            assert joined.known()["first"]["role"] == "sidecar"
            assert "confirmed" not in first.told()
            assert "in flight" not in first.told()
            assert "duplicate" not in first.told(), "its own file and the registry say the same of its Service"
    finally:
        joined.close()


async def test_rolling_restarts_of_sidecars_lose_no_request(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    joined = test_channel.Mesh(tmp_path)
    with ExitStack() as running_now:
        running_now.callback(joined.close)
        joined.apply(APP)
        starts = [partial(again, *prepared(joined, name)) for name in ("first", "second", "third")]
        there: list[AbstractContextManager[Weft]] = []

        def start(number: int) -> Weft:
            there[number : number + 1] = [starts[number]()]
            return there[number].__enter__()

        wefts = [start(number) for number in range(len(starts))]
        running_now.callback(lambda: [each.__exit__(None, None, None) for each in there])
        nodes = [joined.node(name, objects=(APP,)) for name in ("a", "b", "c")]

        def restart(number: int) -> None:
            assert wefts[number].stop() == 0
            there[number].__exit__(None, None, None)
            wefts[number] = start(number)
            for node in nodes:
                wait_endpoints(node, 3)

        for node in nodes:
            wait_endpoints(node, 3)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            clients = [tasks.create_task(test_channel.client(node, stop)) for node in nodes]
            try:
                for turn in range(size(2, 100)):
                    await asyncio.to_thread(restart, turn % len(starts))
            finally:
                stop.set()
        answered, failed = ([one for each in clients for one in each.result()[part]] for part in (0, 1))
        assert not failed, (len(answered), failed[:5])
        assert len(set(answered)) >= size(2, 100)
        assert joined.registry.admin("/api/v1/nodes").json["unconfirmed"] == []


def beside(joined: test_channel.Mesh, name: str, of: str = "app") -> AbstractContextManager[Weft]:
    """A sidecar of the Service `of` that is joined by the channel."""
    return again(*prepared(joined, name, of))


def again(folder: Folder, command: tuple[str, ...]) -> AbstractContextManager[Weft]:
    """It runs, with what it left in its folder."""
    return running(folder.path, folder.network, *command, role="sidecar", fresh=False)


def prepared(joined: test_channel.Mesh, name: str, of: str = "app") -> tuple[Folder, tuple[str, ...]]:
    """The folder and the command line of a sidecar that is joined by the channel."""
    token = joined.folder / f"{name}.token"
    token.write_text(joined.weft("token", "create", name))
    folder = Folder(joined.folder / name, nodeName="here", registry={"servers": [joined.dns]})
    folder.put("app", service(of, app=of))
    options = ("--join", joined.peers, "--token", str(token))
    return folder, words(name, closed_port(), *options, of=of)
