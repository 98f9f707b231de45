"""A user asks why: explain, tap, get, diff and the access log beside a weft that runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.policy.source import ROOT
from tests.scenarios.weft import Network, Weft, ask, payment, run_weft, running, wait_for

MORE = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front}
spec:
  rules:
    - host: pay.example
      http: {paths: [{path: /pay, pathType: Prefix, backend: {service: {name: payment-svc, port: {number: 80}}}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {password: hunter2}
"""


class World:
    def __init__(self, weft: Weft, folder: Path) -> None:
        self.weft = weft
        self.folder = folder
        self.address = weft.address("payment-svc")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        options = ["--admin", self.weft.network.admin, "--state", str(self.weft.state)]
        return run_weft(*words, *options)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    network = Network.random()
    folder = payment(tmp_path_factory.mktemp("why") / "payment", network, accessLog=True, accessLogFormat="common")
    (folder / "more.yaml").write_text(MORE)
    with running(folder, network) as weft:
        yield World(weft, folder)


def test_what_is_explained_is_what_happens(world: World) -> None:
    done = world.command("explain", "http://payment-svc/who", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, len(told["endpoints"])) == (0, 3)
    seen = json.loads(world.command("explain", f"http://{world.address}/who", "--json").stdout)
    assert seen["pick"] == told["pick"], "to ask takes nobody's turn"
    ask(world.address, "/who")
    logged = wait_for(lambda: re.findall(r'"GET /who HTTP/1.1" 200 \d+ - (\S+) ', world.weft.out.read_text()))
    assert logged == [told["pick"]["address"]]


def test_a_request_through_an_ingress(world: World) -> None:
    text = world.command("explain", "http://pay.example/pay/1").stdout
    assert "won  Prefix pay.example/pay of Ingress default/front" in text
    assert world.command("explain", "http://pay.example/elsewhere").returncode == 1


def test_a_tap_and_the_request_that_it_showed(world: World) -> None:
    words = [sys.executable, "-m", "sidecar", "tap", "--count", "1", "--path", "/tapped", "--json"]
    tap = subprocess.Popen([*words, "--admin", world.weft.network.admin], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: ask(world.address, "/tapped") and tap.poll() is not None)
        assert tap.stdout is not None
        record = json.loads(tap.stdout.read())
    finally:
        tap.kill()
        tap.communicate()
    assert (record["status"], record["service"]) == (200, "payment-svc")
    done = world.command("explain", "--id", record["requestId"])
    assert done.stdout.startswith(f"was answered 200 by {record['endpoint']}")


def test_objects_in_force_and_what_a_reload_would_change(world: World) -> None:
    assert "hunter2" not in world.command("get", "all", "-o", "yaml").stdout
    same = world.command("diff", str(world.folder))
    assert (same.returncode, same.stdout) == (0, "nothing would change\n")
    copy = world.folder.parent / "changed"
    copy.mkdir()
    for path in world.folder.iterdir():
        (copy / path.name).write_text(path.read_text().replace("hunter2", "hunter3"))
    changed = world.command("diff", str(copy))
    assert changed.returncode == 1
    assert changed.stdout.startswith("~ Secret/default/key changed\n    stringData.password: (hidden ")
