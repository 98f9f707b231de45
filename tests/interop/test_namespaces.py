"""Nodes that cannot dial each other's endpoints: network namespaces joined by a bridge, with equal private addresses.

Every node gives its replicas the same addresses of its own loopback.  Where namespaces are not allowed there is the
second variant: all on one loopback, where a node that is cut off is one that is stopped for a while.  The soak run
takes both.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SOAK
from tests.scenarios.manifests import IMAGES, deployment, service
from tests.scenarios.test_nodes import key
from tests.scenarios.weft import Network, Weft, alive, ask, wait_for

NODES = ("a", "b", "c")
ONE_EACH = dict.fromkeys(NODES, 1)
LEASE_SECONDS = 3
LEASE = f"{LEASE_SECONDS}s"
CLONE_NEWNET = 0x40000000
HEALED = 1.0
"""Seconds from healing until every table is equal again."""

Table = frozenset[tuple[str, str, bool]]
"""Service, replica, and whether it is ready."""


class Addressed(Network):
    """A node with an address of its own; everything else is as on every other one."""

    @property
    def admin(self) -> str:
        return "127.0.0.1:9901"

    @property
    def node(self) -> str:
        return self.prefix

    @property
    def dns(self) -> str:
        return f"{self.prefix}:1053"

    @property
    def pods(self) -> str:
        return "127.97.0.0/16"

    def node_config(self, images: dict[str, list[str]], **more: object) -> dict[str, Any]:
        return super().node_config(images, serviceRange={"cidr": "127.96.0.0/16"}, **more)


def ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, capture_output=True, text=True)


class Namespaces:
    """A namespace for each node, and one with a bridge between them."""

    goes_on = True
    """A node that is cut off serves on."""

    def __init__(self) -> None:
        self._mark = f"weft{random.SystemRandom().randrange(16**6):06x}"
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._made: list[str] = []
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._switch = self._make("switch")
        ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", self._switch, "link", "set", "bridge", "up")

    def place(self, number: int) -> Network:
        return Addressed(f"10.77.0.{number}")

    def join(self, name: str, address: str) -> None:
        """Make the namespace of a node."""
        made = self._make(name)
        ip("-n", self._switch, "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", made)
        ip("-n", made, "address", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", made, "link", "set", device, "up")
        ip("-n", self._switch, "link", "set", f"to-{name}", "master", "bridge", "up")

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        space = os.open(f"/run/netns/{self._mark}-{name}", os.O_RDONLY)
        try:
            self._enter(space)
            yield
        finally:
            self._enter(self._home)
            os.close(space)

    def cut(self, name: str, weft: Weft) -> None:
        ip("-n", self._switch, "link", "set", f"to-{name}", "nomaster")

    def heal(self, name: str, weft: Weft) -> None:
        ip("-n", self._switch, "link", "set", f"to-{name}", "master", "bridge")

    def close(self) -> None:
        for name in self._made:
            ip("netns", "del", name)
        os.close(self._home)

    def _make(self, name: str) -> str:
        made = f"{self._mark}-{name}"
        ip("netns", "add", made)
        self._made.append(made)
        return made

    def _enter(self, space: int) -> None:
        if self._libc.setns(space, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


class Loopback:
    """All on one loopback, where endpoints are published as listeners all the same."""

    goes_on = False

    def place(self, number: int) -> Network:
        return Network.random()

    def join(self, name: str, address: str) -> None:
        """It is there."""

    def inside(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()

    def cut(self, name: str, weft: Weft) -> None:
        weft.process.send_signal(signal.SIGSTOP)

    def heal(self, name: str, weft: Weft) -> None:
        weft.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """There is nothing to be taken away."""


def end(weft: Weft) -> None:
    weft.process.kill()
    weft.process.wait()


def allowed() -> bool:
    """Whether namespaces can be made here."""
    try:
        Namespaces().close()
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


class Mesh:
    """A registry and three nodes, each with an application of its own."""

    def __init__(self, net: Namespaces | Loopback, folder: Path, processes: ExitStack) -> None:
        self.net = net
        self._folder = folder
        self._processes = processes
        self.wefts: dict[str, Weft] = {}
        self._places = {name: net.place(number) for number, name in enumerate(("registry", *NODES), 1)}
        for name, place in self._places.items():
            net.join(name, place.node)
        self._common = [key("nodes"), *(service(f"app-{name}", {"http": 8080}, app=f"app-{name}") for name in NODES)]
        who = {"secret": "nodes", "writes": ["*"], "transfers": True}
        self._write("registry", {"leastLease": LEASE, "keys": [who]})
        for name in NODES:
            self.scale(name, 1)

    def _write(self, name: str, registry: Mapping[str, object], *objects: Mapping[str, Any]) -> None:
        node = self._places[name].node_config(IMAGES, nodeName=name, registry=registry, inbound={"reach": "always"})
        (self._folder / name).mkdir(exist_ok=True)
        aside = self._folder / f"{name}.aside"
        aside.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [*self._common, *objects, node]}))
        aside.replace(self._folder / name / "manifests.json")

    def scale(self, name: str, replicas: int) -> None:
        """Write that so many replicas run on a node."""
        settings = {"servers": [self._places["registry"].dns], "lease": LEASE, "key": "nodes"}
        self._write(name, settings, deployment(f"app-{name}", replicas))

    def start(self, *names: str) -> None:
        """Start these, all at once: nodes are not at rest before their Services have endpoints."""
        for name in names:
            role = "registry" if name == "registry" else "node"
            with self.net.inside(name):
                weft = self.wefts[name] = Weft(self._folder / name, self._places[name], role=role)
            self._processes.callback(end, weft)
        for name in names:
            self.wefts[name].wait_ready()

    def restore(self) -> None:
        """As it was at first."""
        for name in NODES:
            self.scale(name, 1)
        self.start(*(name for name, weft in self.wefts.items() if weft.process.poll() is not None))
        wait_for(lambda: self.equal(ONE_EACH), self.told)

    def kill(self, name: str) -> None:
        """End a process at once; what it ran has a moment to end too."""
        weft = self.wefts[name]
        weft.process.kill()
        weft.process.wait()
        wait_for(lambda: not any(map(alive, weft.replicas())), weft.told)

    def told(self) -> str:
        return "\n".join(f"-- {name}: {weft.told()}" for name, weft in self.wefts.items())

    def table(self, name: str) -> Table:
        with self.net.inside(name):
            found = self.wefts[name].admin("/api/v1/endpoints").json["endpoints"]
        return frozenset((each["service"], each["replica"], each["ready"]) for each in found)

    def age(self, name: str) -> float:
        """How long a node has not heard the registry, in seconds."""
        with self.net.inside(name):
            return float(self.wefts[name].admin("/api/v1/dns").json["zones"]["endpoints"]["age"])

    def ready(self, name: str) -> dict[str, int]:
        """How many endpoints of each application a node knows that are ready."""
        return dict(Counter(service.removeprefix("app-") for service, _, is_ready in self.table(name) if is_ready))

    def equal(self, there: Mapping[str, int], *names: str) -> bool:
        """Whether these nodes (or all) have the same table, with so many endpoints of each application."""
        known = names or NODES
        return all(self.ready(name) == there for name in known) and len({self.table(name) for name in known}) == 1

    def answering(self, frm: str, to: str) -> str:
        """The replica of `to` that answers the node `frm`."""
        with self.net.inside(frm):
            address = self.wefts[frm].address(f"app-{to}")
            answer = ask(address)
        assert answer.status == 200, self.told()
        return str(answer.json["replica"])


VARIANTS = (Loopback,) if not allowed() else (Namespaces, Loopback) if SOAK else (Namespaces,)


@pytest.fixture(scope="module", params=VARIANTS)
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    net = request.param()
    try:
        with ExitStack() as processes:
            made = Mesh(net, tmp_path_factory.mktemp("mesh"), processes)
            made.start("registry", *NODES)
            yield made
        assert "Traceback" not in made.told(), made.told()[:10_000]
    finally:
        net.close()


@pytest.fixture
def mesh(started: Mesh) -> Mesh:
    started.restore()
    return started


def test_each_request_reaches_the_right_application(mesh: Mesh) -> None:
    for frm in NODES:
        for to in NODES:
            replicas = {mesh.answering(frm, to) for _ in range(3)}
            assert {name.rsplit("-", 2)[0] for name in replicas} == {f"app-{to}"}
    with mesh.net.inside("b"):
        page = mesh.wefts["b"].admin("/metrics").body.decode()
    assert 'weft_inbound_connections_total{namespace="default",service="app-b",port="http",transport="TCP"}' in page


def test_a_partition_heals_within_a_second(mesh: Mesh) -> None:
    cut = mesh.wefts["b"]
    mesh.net.cut("b", cut)
    mesh.scale("a", 2)
    wait_for(lambda: mesh.equal({"a": 2, "c": 1}, "a", "c"), mesh.told)
    assert mesh.answering("c", "a").startswith("app-a")
    if mesh.net.goes_on:  # for itself it has what runs beside it, and what it knew of the others
        assert mesh.answering("b", "b").startswith("app-b")
        assert mesh.ready("b") == ONE_EACH
    mesh.net.heal("b", cut)
    healed = time.monotonic()
    wait_for(lambda: mesh.equal({**ONE_EACH, "a": 2}), mesh.told)
    assert time.monotonic() - healed < HEALED
    for frm in NODES:
        for to in NODES:
            assert mesh.answering(frm, to).startswith(f"app-{to}")


def test_a_node_that_is_killed_is_missed_and_comes_back(mesh: Mesh) -> None:
    mesh.kill("b")
    wait_for(lambda: mesh.equal({"a": 1, "c": 1}, "a", "c"), mesh.told)
    assert mesh.answering("a", "c").startswith("app-c")
    mesh.start("b")
    wait_for(lambda: mesh.equal(ONE_EACH), mesh.told)
    assert {mesh.answering(frm, "b").rsplit("-", 2)[0] for frm in NODES} == {"app-b"}


def test_without_the_registry_all_goes_on_and_it_finds_everybody_again(mesh: Mesh) -> None:
    before = mesh.table("a")
    mesh.kill("registry")
    wait_for(lambda: all(mesh.age(name) > 2 * LEASE_SECONDS for name in NODES), mesh.told)
    assert all(mesh.table(name) == before for name in NODES)
    assert mesh.answering("a", "b").startswith("app-b")
    mesh.scale("c", 2)
    mesh.start("registry")
    wait_for(lambda: mesh.equal({**ONE_EACH, "c": 2}), mesh.told)
