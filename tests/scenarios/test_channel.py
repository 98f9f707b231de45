"""A registry and three nodes joined by the channel: what is stored reaches all, and restarts lose no request."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.scenarios.editing import Folder
from tests.scenarios.manifests import deployment, service
from tests.scenarios.weft import PATIENCE, Weft, run_weft, running, wait_for
from tests.scenarios.world import endpoints, ready

APP = service("app", app="app")
CLIENTS = 2
"""Of each node."""
PAUSE_SECONDS = 0.02
"""Of a client, after each pair of requests."""
Send = Callable[[http.client.HTTPConnection], http.client.HTTPResponse]


class Mesh:
    """A registry that takes connections of nodes, and nodes with a token each."""

    def __init__(self, folder: Path, role: str = "registry", **node: object) -> None:
        """`node`: what the registry's NodeConfig says besides."""
        self.folder = folder
        self._running = ExitStack()
        made = Folder(folder / "registry", nodeName="registry", **node)
        if role != "registry":
            made.put("served", APP)
        self.peers = f"{made.network.prefix}.251:9903"
        self.registry = self._running.enter_context(running(made.path, made.network, "--peers", self.peers, role=role))
        self._folder = made
        self.dns = made.network.dns
        self._running.callback(self._check, self.registry)

    def weft(self, *words: str, code: int = 0) -> str:
        """What a command says that has the registry's state folder."""
        done = run_weft(*words, "--state", str(self.registry.state))
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout + done.stderr

    def apply(self, *objects: Mapping[str, Any]) -> str:
        file = self.folder / "applied.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        return self.weft("apply", "-f", str(file))

    def node(self, name: str, *options: str, objects: tuple[Mapping[str, Any], ...] = ()) -> Weft:
        """A node that is ready."""
        token = self.folder / f"{name}.token"
        runs = [word for word in options if word != "--run-with" and (word == "--run" or "/" in word)]
        token.write_text(self.weft("token", "create", name, *runs))
        made = Folder(self.folder / name, nodeName=name, registry={"servers": [self._folder.network.dns]})
        if objects:
            made.put("own", *objects)
        options = ("--join", self.peers, "--token", str(token), *options)
        weft = self._running.enter_context(running(made.path, made.network, *options, role="node"))
        self._running.callback(self._check, weft)
        return weft

    def known(self) -> dict[str, dict[str, Any]]:
        """What the registry says of its nodes."""
        return {each["name"]: each for each in self.registry.admin("/api/v1/nodes").json["nodes"]}

    @staticmethod
    def _check(weft: Weft) -> None:
        assert "Traceback" not in weft.told(), weft.told()[:10_000]

    def close(self) -> None:
        self._running.close()


@contextmanager
def mesh(folder: Path, role: str = "registry", **node: object) -> Iterator[Mesh]:
    made = Mesh(folder, role, **node)
    try:
        yield made
    finally:
        made.close()


def serves(weft: Weft, count: int, name: str = "app") -> None:
    """Wait until a Service has so many endpoints here, all of them ready."""
    wait_for(lambda: len(ready(weft, name)) == count == len(endpoints(weft, name)), weft.told)


def services(weft: Weft) -> list[str]:
    return sorted(each["name"] for each in weft.admin("/api/v1/services").json["services"])


def test_what_is_stored_reaches_all_nodes_and_stays_with_who_is_cut_off(tmp_path: Path) -> None:
    with mesh(tmp_path) as made:
        first = made.node("first", "--run", "default/app", "--run-with", "env")
        second = made.node("second", objects=(service("own", app="x"),))
        said = made.apply(APP, deployment("app", 2), service("own", {"http": 99}, app="y"))
        assert "Service/default/app created" in said
        for weft in (first, second):
            serves(weft, 2)
        assert services(second) == ["app", "own"]
        assert "warning: duplicate object" in second.told()
        assert second.admin("/api/v1/config").json["read"]["successful"]
        own = next(each for each in second.admin("/api/v1/services").json["services"] if each["name"] == "own")
        assert own["ports"][0]["port"] != 99
        assert not second.replicas()
        wait_for(lambda: all(each["lag"] == 0 and each["connected"] for each in made.known().values()))
        generation = made.registry.admin("/api/v1/nodes").json["manifests"]
        wait_for(
            lambda: {each["manifests"] for each in made.known().values()} == {generation}, lambda: str(made.known())
        )
        made.weft("token", "revoke", "second")
        wait_for(lambda: not made.known()["second"]["connected"])
        made.weft("delete", "service", "app")
        wait_for(lambda: services(first) == ["own"])
        wait_for(lambda: "does not know this node's token" in second.told(), second.told)
        assert services(second) == ["app", "own"]


def test_what_carries_traffic_beside_the_registry_confirms_drains_too(tmp_path: Path) -> None:
    with mesh(tmp_path, "up") as made:
        first = made.node("first", "--run", "default/app", objects=(APP,))
        made.apply(deployment("app", 2))
        for weft in (first, made.registry):
            serves(weft, 2)
        made.apply(deployment("app", 1))
        for weft in (first, made.registry):
            serves(weft, 1)
        wait_for(lambda: made.known()["registry (weft up)"]["lag"] == 0, lambda: str(made.known()))
        own = made.known()["registry (weft up)"]
        assert own["connected"]
        assert made.registry.admin("/api/v1/nodes").json["unconfirmed"] == []


async def test_rolling_restarts_lose_no_request(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    with mesh(tmp_path) as made:
        made.apply(APP, deployment("app", 2))
        weft = made.node("first", "--run", "default/app", "--run-with", "env")
        nodes = [weft, made.node("second"), made.node("third")]
        for each in nodes:
            await asyncio.to_thread(serves, each, 2)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as beside:
            clients = [beside.create_task(client(each, stop)) for each in nodes for _ in range(CLIENTS)]
            for number in range(size(1, 50)):
                await asyncio.to_thread(made.apply, deployment("app", 2, REVISION=str(number)))
                await asyncio.to_thread(
                    wait_for, lambda number=number: len(weft.replicas()) == 4 + 2 * number, weft.told
                )
                await asyncio.to_thread(serves, weft, 2)
            stop.set()
        answered = [each.result()[0] for each in clients]
        failed = [what for each in clients for what in each.result()[1]]
        assert not failed, (failed[:5], [each.told()[-3000:] for each in nodes])
        assert all(len(set(pids)) > 2 for pids in answered), "each was answered before a restart and after it"
        assert len(set().union(*answered)) == len(weft.replicas())
        document = made.registry.admin("/api/v1/nodes").json
        assert document["unconfirmed"] == [], document


async def client(weft: Weft, stop: asyncio.Event) -> tuple[list[int], list[str]]:
    """Sends requests one after the other, half of them POSTs that take their time; which processes answered."""
    address = next(each["ports"][0]["listens"][0] for each in weft.admin("/api/v1/services").json["services"])
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    answered: list[int] = []
    failed: list[str] = []
    while not stop.is_set():
        for send in (post, get):
            try:
                status, body = await asyncio.to_thread(send, connection)
            except (OSError, http.client.HTTPException) as error:
                failed.append(f"{send.__name__}: {error!r}")
                connection.close()
            else:
                if status == 200:
                    answered.append(json.loads(body)["pid"])
                else:
                    failed.append(f"{send.__name__}: {status} {body!r}")
        await asyncio.sleep(PAUSE_SECONDS)
    connection.close()
    return answered, failed


def post(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    connection.request("POST", "/slow?ms=30", b"x" * 1000)
    response = connection.getresponse()
    return response.status, response.read()


def get(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    connection.request("GET", "/")
    response = connection.getresponse()
    return response.status, response.read()
