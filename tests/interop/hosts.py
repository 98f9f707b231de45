"""Two machines of tests: engines in their namespaces, joined by a cable, with a registry, and an agent on each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.interop.engine import Engine
from tests.interop.test_namespaces import Addressed, ip
from tests.scenarios.test_nodes import key
from tests.scenarios.weft import Network, Weft, run_weft

NEAR, FAR = "10.78.0.1", "10.78.0.2"
PEERS = f"{NEAR}:9903"


@contextmanager
def cable(near: Engine) -> Iterator[None]:
    """Give an engine one end, and `NEAR`; nothing of it is left afterwards."""
    ip("-n", near.space, "link", "add", "up0", "type", "veth", "peer", "name", "down0")
    try:
        _connect(near, "up0", NEAR)
        yield
    finally:
        words = ["ip", "-n", near.space, "link", "delete", "up0"]
        subprocess.run(words, check=False, capture_output=True)  # it may be gone with the other end's namespace


def plug_in(near: Engine, far: Engine) -> None:
    """Give another one the other end, and `FAR`."""
    ip("-n", near.space, "link", "set", "down0", "netns", far.space)
    _connect(far, "down0", FAR)


def _connect(engine: Engine, device: str, address: str) -> None:
    ip("-n", engine.space, "address", "add", f"{address}/24", "dev", device)
    ip("-n", engine.space, "link", "set", device, "up")


def written(folder: Path, engine: Engine, network: Network, *objects: Mapping[str, Any], **more: object) -> Path:
    """These manifests, and a NodeConfig with the swarm's platform only, unless `more` says otherwise."""
    folder.mkdir()
    node = network.node_config({}, **{"platforms": ["swarm"], "docker": {"host": engine.host}, **more})
    items = {"apiVersion": "v1", "kind": "List", "items": [node, *objects]}
    (folder / "manifests.json").write_text(json.dumps(items))
    return folder


class Agent(Addressed):
    """A node's agent, also beside a registry."""

    @property
    def admin(self) -> str:
        return "127.0.0.2:9901"

    @property
    def dns(self) -> str:
        return f"{self.prefix}:1054"


class Nodes:
    """A registry on the near machine, and an agent on each of both, ready."""

    def __init__(
        self, folder: Path, near: Engine, far: Engine, processes: ExitStack, *objects: Mapping[str, Any], platform: str
    ) -> None:
        """`objects`: what all are told; `platform`: of all three."""
        self._folder = folder
        self._processes = processes
        self._platform = platform
        self._objects = (key("nodes"), *objects)
        who = {"secret": "nodes", "writes": ["*"], "transfers": True}
        self.registry = self._start("registry", near, Addressed(NEAR), {"keys": [who]}, "--peers", PEERS)
        self.registry.wait_ready()
        self.wefts = {"near": self._join("near", near, NEAR), "far": self._join("far", far, FAR)}
        for weft in self.wefts.values():
            weft.wait_ready()

    def _join(self, name: str, engine: Engine, address: str) -> Weft:
        token = self._folder / f"{name}.token"
        token.write_text(run_weft("token", "create", name, "--state", str(self.registry.state), code=0).stdout)
        follow = {"servers": [Addressed(NEAR).dns], "key": "nodes"}
        return self._start(name, engine, Agent(address), follow, "--join", PEERS, "--token", str(token))

    def _start(self, name: str, engine: Engine, network: Network, registry: Mapping[str, object], *words: str) -> Weft:
        more: dict[str, object] = {"nodeName": name, "registry": registry}
        more["platforms"] = [self._platform]
        folder = written(self._folder / name, engine, network, *self._objects, **more)
        with engine.inside():
            weft = Weft(folder, network, *words, role="registry" if name == "registry" else "node")
        self._processes.callback(_end, weft)
        return weft

    def told(self) -> str:
        return "\n".join(each.told() for each in (self.registry, *self.wefts.values()))


def _end(weft: Weft) -> None:
    weft.process.kill()
    weft.process.wait()
