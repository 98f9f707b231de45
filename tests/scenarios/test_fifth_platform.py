"""A platform that weft does not have: one module is laid beside the others, no file is changed, and a node runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.policy.source import FLOORS, ROOT
from tests.scenarios.manifests import service
from tests.scenarios.weft import PATIENCE, Network, ask

PARISH = '''"""The platform `parish`: one replica, which is there already."""

from discovery.endpoint import Replica, ReplicaPort, WorkloadRef
from discovery.platforms.making import Made

FINDS = False
WORKLOAD = WorkloadRef("Deployment", "default", "web")


class Parish:
    async def apply(self, config_set):
        self.changed(self.replicas())

    def replicas(self):
        port = ReplicaPort(8080, {port}, "http")
        return (Replica("web-1", WORKLOAD, {{"app": "web"}}, "here", "127.0.0.1", (port,), ready=True, serving=True),)

    def subscribe(self, callback):
        self.changed = callback

    def statuses(self):
        return ()

    async def read(self, workload):
        raise KeyError(workload)

    async def set(self, workload, replicas, victims=()):
        raise KeyError(workload)

    def usage(self, workload):
        return {{}}

    async def close(self):
        pass


def make(parts, runs):
    return Made(Parish())
'''


def lay_beside(folder: Path, name: str, text: str) -> None:
    """Weft as it is in `folder`, by links, with the module `name` among the makers of platforms."""
    within = Path("discovery", "platforms", "makers")
    for path in (*reversed(within.parents), within):
        (folder / path).mkdir(exist_ok=True, parents=True)
        for each in (ROOT / path).iterdir():
            is_wanted = path != Path() or each.name in FLOORS
            if is_wanted and each.name != "__pycache__" and not within.is_relative_to(path / each.name):
                (folder / path / each.name).symlink_to(each)
    (folder / within / f"{name}.py").write_text(text)


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Path]:
    """A folder with a weft that has one platform more; its replica answers ``parish``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Greeter) as server:
        answering = threading.Thread(target=server.serve_forever, daemon=True)
        answering.start()
        lay_beside(tmp_path / "weft", "parish", PARISH.format(port=server.server_port))
        yield tmp_path / "weft"
        server.shutdown()
        answering.join()


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"parish")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def weft(*words: str) -> list[str]:
    return [sys.executable, "-m", "sidecar", *words]


def validated(manifest: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    words = weft("validate", str(manifest))
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_a_node_runs_it(beside: Path, tmp_path: Path) -> None:
    network = Network.random()
    web = service("web", {"http": 8080}, app="web")
    web["spec"]["clusterIP"] = f"{network.prefix}.7"
    items = [web, network.node_config({}, platforms=["parish"])]
    (tmp_path / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    command = weft("up", str(tmp_path / "all.json"), "--state", str(tmp_path / "state"))
    with subprocess.Popen(command, cwd=beside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            told = []
            for line in process.stdout:
                told.append(line)
                if "ready in" in line:
                    break
            assert "ready in" in "".join(told[-1:]), told
            answer = ask(f"{network.prefix}.7:8080")
            assert (answer.status, answer.body) == (200, b"parish")
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_validate_knows_it_and_no_other_word(beside: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "node.yaml"
    manifest.write_text(
        "apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: a}\nspec:\n  platforms:\n  - parish\n"
    )
    said = validated(manifest, beside)
    assert (said.returncode, said.stdout) == (0, "1 object, nothing wrong\n")
    manifest.write_text(manifest.read_text().replace("- parish", "- perish"))
    said = validated(manifest, beside)
    assert said.returncode == 1
    first = said.stdout.splitlines()[0]
    assert f"{manifest}:6:5: " in first
    assert first.endswith('"perish" is not one of docker, parish, process, swarm; did you mean "parish"?')
