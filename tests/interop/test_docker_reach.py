"""Containers reach Services: ClusterIPs by their host's route, names by the agent's DNS at their bridge's address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.engine import BUSYBOX, NEEDS_ENGINE, Engine
from tests.interop.hosts import written
from tests.scenarios.manifests import service
from tests.scenarios.weft import Network, Weft, running, wait_for
from tests.scenarios.world import ready

pytestmark = NEEDS_ENGINE
BRIDGE = "172.17.0.1"
CLUSTER_IP = "10.96.7.7"
PORT = 8080


@pytest.fixture
def weft(engine: Engine, tmp_path: Path) -> Iterator[Weft]:
    network, web = Network.random(), service("web", {"http": PORT})
    web["spec"]["clusterIP"] = CLUSTER_IP
    reach = {"cidr": "10.96.0.0/16", "reach": "route"}
    folder = written(
        tmp_path / "manifests", engine, network, web, platforms=["docker"], dns=f"{BRIDGE}:53", serviceRange=reach
    )
    with engine.inside():
        with running(folder, network) as weft:
            engine.run("--label", "weft.dev/service=web")
            wait_for(lambda: ready(weft, "web"), weft.told)
            yield weft
        engine.clear()


def test_by_address_and_by_name(engine: Engine, weft: Weft) -> None:
    options = ("--rm", "--dns", BRIDGE, "--dns-search", "default.svc.cluster.local")
    hosts = (CLUSTER_IP, "web.default.svc.cluster.local", "web", "nobody")
    asks = "; ".join(f"/bin/wget -q -O - http://{host}:{PORT}/ 2>&1; echo" for host in hosts)
    said = engine.docker("run", *options, BUSYBOX, "/bin/sh", "-c", asks)
    (behind,) = engine.docker("ps", "--quiet").split()
    *answers, denied = said.splitlines()
    for answer in map(json.loads, answers):
        assert answer["replica"] == behind
        assert any(line.startswith("X-Forwarded-For: 172.17.0.") for line in answer["lines"]), answer
    assert (len(answers), denied) == (3, "wget: bad address 'nobody:8080'")
