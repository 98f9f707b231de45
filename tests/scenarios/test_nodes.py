"""Several nodes and a registry, each a process: what one runs the others balance over, with the registry or without.

All on the loopback network, where every process has ranges of its own.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rcode

from tests.scenarios.editing import Folder, ports
from tests.scenarios.manifests import deployment, service
from tests.scenarios.weft import PATIENCE, Weft, ask, wait_for
from tests.scenarios.world import all_well, endpoints, load, ready

APP = service("app", app="app")
NAME = "app.default.svc.cluster.local"
LEASE = "2s"
FORGOTTEN = 15.0
"""Seconds within which what is not refreshed is gone, on a busy machine."""


def key(name: str) -> dict[str, Any]:
    """A Secret with a key of that name."""
    parts = {"name": name, "secret": b64encode(name.encode() * 16).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": parts}


class Mesh:
    """Folders of manifests for a registry and nodes, and the processes of them that run."""

    def __init__(self, folder: Path, **registry: object) -> None:
        self.folder = folder
        self._running: list[Weft] = []
        self.registry_folder = Folder(folder / "registry", registry={"leastLease": LEASE, **registry})
        self.registry_folder.put("app", APP)

    def registry(self) -> Weft:
        """The registry, started."""
        return self.start(self.registry_folder, "registry")

    def node(self, name: str, *objects: Any, **registry: object) -> tuple[Folder, Weft]:
        """A node that has the Service and `objects`, started."""
        settings = {"servers": [self.registry_folder.network.dns], "lease": LEASE, **registry}
        made = Folder(self.folder / name, nodeName=name, registry=settings)
        made.put("app", APP, *objects)
        return made, self.start(made, "node")

    def start(self, folder: Folder, role: str) -> Weft:
        """A process that is not ready yet."""
        weft = Weft(folder.path, folder.network, role=role)
        self._running.append(weft)
        return weft

    def wait(self) -> None:
        """Until all that run are ready."""
        for weft in self._running:
            if weft.process.poll() is None:
                weft.wait_ready()

    def close(self) -> None:
        """End all of them; none may have left a stack trace."""
        for weft in self._running:
            weft.process.kill()
            weft.process.wait()
        for weft in self._running:
            assert "Traceback" not in weft.told(), weft.told()[:10_000]


@contextmanager
def mesh(folder: Path, **registry: object) -> Iterator[Mesh]:
    made = Mesh(folder, **registry)
    try:
        yield made
    finally:
        made.close()


def address(weft: Weft) -> str:
    return ports(weft, "app")["http"]


def wait_endpoints(weft: Weft, count: int, seconds: float = PATIENCE) -> None:
    """Until that many may be used."""
    wait_for(lambda: len(ready(weft, "app")) == count, weft.told, seconds)


def answering(weft: Weft) -> str:
    """The replica that answers a request."""
    answer = ask(address(weft))
    assert answer.status == 200, weft.told()
    return str(answer.json["replica"])


def asked(weft: Weft, name: str, kind: str = "A") -> dns.message.Message:
    """What the DNS server of a process says, with the reasons that it gives."""
    host, _, port = weft.network.dns.rpartition(":")
    return dns.query.udp(dns.message.make_query(name, kind, use_edns=0), host, PATIENCE, int(port))


def reasons(message: dns.message.Message) -> list[int]:
    """The codes of Extended DNS Errors."""
    return [int(option.code) for option in message.options if option.otype == dns.edns.OptionType.EDE]


def followed(weft: Weft) -> dict[str, Any]:
    """What a node says of its copy."""
    found: dict[str, Any] = weft.admin("/api/v1/dns").json["zones"]["endpoints"]
    return found


def test_replicas_of_all_nodes_get_traffic_and_their_readiness_travels(tmp_path: Path) -> None:
    with mesh(tmp_path) as made:
        made.registry()
        _, first = made.node("first", deployment("app", 1))
        _, second = made.node("second", deployment("app", 1))
        made.wait()
        for weft in (first, second):
            wait_endpoints(weft, 2)
            assert {answering(weft) for _ in range(4)} == {each["replica"] for each in endpoints(second, "app")}
        (own,) = (each for each in endpoints(first, "app") if each["node"] == "first")
        assert ask(f"{own['address']}:{own['port']}", "/unready").status == 200
        for weft in (first, second):
            wait_endpoints(weft, 1)
            assert own["replica"] not in {answering(weft) for _ in range(4)}
        assert ask(f"{own['address']}:{own['port']}", "/ready").status == 200
        wait_endpoints(second, 2)
        page = second.admin("/metrics").body.decode()
        assert int(page.partition("weft_propagation_seconds_count ")[2].split()[0]) > 0, "it was told by NOTIFY"
        assert 'weft_registry_last_contact_seconds{zone="endpoints"}' in page
        assert first.stop() == 0
        wait_endpoints(second, 1)


def test_what_a_killed_node_ran_is_forgotten(tmp_path: Path) -> None:
    with mesh(tmp_path) as made:
        made.registry()
        _, first = made.node("first", deployment("app", 1))
        folder, second = made.node("second", deployment("app", 1))
        made.wait()
        wait_endpoints(first, 2)
        second.process.kill()
        second.process.wait()
        wait_endpoints(first, 1, FORGOTTEN)
        assert {each["node"] for each in endpoints(first, "app")} == {"first"}
        second = made.start(folder, "node")
        made.wait()
        wait_endpoints(first, 2)
        wait_endpoints(second, 2)


async def test_nodes_serve_on_without_the_registry(tmp_path: Path) -> None:
    with mesh(tmp_path) as made:
        registry = made.registry()
        made.node("first", deployment("app", 1))
        folder, second = made.node("second", deployment("app", 1))
        await asyncio.to_thread(made.wait)
        await asyncio.to_thread(wait_endpoints, second, 2)
        under_load = asyncio.create_task(load(address(second), rate=50, seconds=6))
        registry.process.kill()
        registry.process.wait()
        await asyncio.to_thread(wait_for, lambda: followed(second)["failure"], second.told)
        assert not under_load.done()
        registry = made.registry()
        await asyncio.to_thread(wait_for, lambda: not followed(second)["failure"], second.told)
        assert all_well(report := await under_load), report
        assert len(endpoints(second, "app")) == 2
        await asyncio.to_thread(_restarts_from_its_copy, made, registry, folder, second)


def _restarts_from_its_copy(made: Mesh, registry: Weft, folder: Folder, node: Weft) -> None:
    registry.process.kill()
    registry.process.wait()
    assert node.stop() == 0
    node = made.start(folder, "node")
    node.wait_ready()
    assert followed(node)["stale"]
    assert {each["node"] for each in endpoints(node, "app")} == {"first", "second"}
    assert {answering(node) for _ in range(4)} == {each["replica"] for each in endpoints(node, "app")}
    answer = asked(node, NAME)
    assert (answer.rcode(), len(answer.answer), reasons(answer)) == (dns.rcode.NOERROR, 1, [3])
    made.registry()
    wait_for(lambda: not followed(node)["stale"], node.told)
    wait_for(lambda: not reasons(asked(node, NAME)), node.told)


def test_a_node_that_has_never_heard_its_registry_serves_its_own(tmp_path: Path) -> None:
    with mesh(tmp_path) as made:
        _, first = made.node("first", deployment("app", 1))
        wait_for(lambda: _listens(first) and len(ready(first, "app")) == 1, first.told)
        wait_for(lambda: ask(address(first)).status == 200, first.told)
        wait_for(lambda: _lacks(first) == ["registry"], first.told)
        answer = asked(first, NAME)
        assert (answer.rcode(), reasons(answer)) == (dns.rcode.SERVFAIL, [14])
        made.registry()
        made.wait()
        wait_for(lambda: asked(first, NAME).rcode() == dns.rcode.NOERROR, first.told)


def _lacks(weft: Weft) -> list[str]:
    """What it still waits for."""
    return [each["what"] for each in weft.admin("/readyz").json["missing"]]


def _listens(weft: Weft) -> bool:
    try:
        return bool(address(weft))
    except (OSError, KeyError):
        return False


def test_keys_say_who_may_register_what(tmp_path: Path) -> None:
    names = ("default.endpoints.cluster.local", "first.nodes.cluster.local")
    keys = [
        {"secret": "first", "writes": names, "transfers": True},
        {"secret": "second", "writes": ["second.nodes.cluster.local"], "transfers": True},
    ]
    with mesh(tmp_path, keys=keys) as made:
        made.registry_folder.put("keys", key("first"), key("second"))
        made.registry()
        _, first = made.node("first", deployment("app", 1), key("first"), key="first")
        _, second = made.node("second", deployment("app", 1), key("second"), key="second")
        made.wait()
        wait_endpoints(second, 2)
        assert {each["node"] for each in endpoints(first, "app")} == {"first"}
        assert "REFUSED" in followed(second)["registering"]
        assert not followed(first)["registering"]
