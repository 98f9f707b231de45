"""``weft up`` as a user sees it: manifests in, traffic out, and an orderly end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.weft import Network, Weft, alive, ask, payment, run_weft, running, wait_for


@pytest.fixture(scope="module")
def weft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    """One weft with the payment example, for the tests that only look."""
    network = Network.random()
    folder = payment(tmp_path_factory.mktemp("up") / "payment", network, accessLog=True)
    with running(folder, network, fresh=True) as started:
        yield started


def test_requests_reach_every_replica_in_turn(weft: Weft) -> None:
    address = weft.address("payment-svc")
    answers = [ask(address).json["replica"] for _ in range(30)]
    assert sorted(Counter(answers).values()) == [10, 10, 10]


def test_what_is_printed(weft: Weft) -> None:
    told = weft.out.read_text()
    address = weft.address("payment-svc")
    cluster_ip = address.rpartition(":")[0]
    assert f"payment-svc:80  http://{cluster_ip}:80/" in told
    assert "payment-service  3/3 replicas ready" in told
    assert f"curl http://{address}/" in told
    assert f"curl http://{weft.network.admin}/metrics" in told
    assert "\x1b" not in told


def test_services(weft: Weft) -> None:
    answer = weft.admin("/api/v1/services")
    assert answer.fields["content-type"] == "application/json"
    (service,) = answer.json["services"]
    assert list(service) == ["namespace", "name", "type", "clusterIP", "ports", "endpoints"]
    assert (service["namespace"], service["name"], service["type"]) == ("default", "payment-svc", "ClusterIP")
    assert service["clusterIP"].startswith(weft.network.prefix)
    (port,) = service["ports"]
    assert list(port) == ["name", "port", "nodePort", "protocol", "listens"]
    assert (port["name"], port["port"], port["nodePort"], port["protocol"]) == ("", 80, None, "TCP")
    (listens,) = port["listens"]
    assert listens.startswith(f"{service['clusterIP']}:")
    assert service["endpoints"] == {"ready": 3, "total": 3}


def test_endpoints(weft: Weft) -> None:
    endpoints = weft.admin("/api/v1/endpoints").json["endpoints"]
    assert len({(endpoint["address"], endpoint["port"]) for endpoint in endpoints}) == 3
    for endpoint in endpoints:
        assert (endpoint["service"], endpoint["servicePort"], endpoint["ready"]) == ("payment-svc", "80", True)
        assert endpoint["workload"] == "Deployment/default/payment-service"
        assert endpoint["replica"].startswith("payment-service-")


def test_config(weft: Weft) -> None:
    config = weft.admin("/api/v1/config").json
    assert config["faults"] == []
    kinds = {each["kind"]: each for each in config["objects"]}
    assert set(kinds) == {"Deployment", "NodeConfig", "Service"}
    assert kinds["Service"]["source"].endswith("service.yaml:1:1")
    assert kinds["Service"]["status"]["state"] == "accepted"
    assert kinds["Deployment"]["object"]["spec"]["replicas"] == 3


def test_health(weft: Weft) -> None:
    assert weft.admin("/healthz").json == {"ok": True}
    assert weft.admin("/readyz").json == {"ready": True, "missing": []}
    assert weft.admin("/readyz", Host="evil.example").status == 421
    assert weft.admin("/nowhere").status == 404
    assert weft.admin("/metrics", "POST").status == 405


def test_metrics(weft: Weft) -> None:
    ask(weft.address("payment-svc"))
    answer = weft.admin("/metrics")
    assert answer.fields["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.body.decode()
    assert text.endswith("\n")
    assert 'weft_http_requests_total{namespace="default",service="payment-svc",port="80",code="200"} ' in text
    for line in ('weft_config_reloads_total{result="success"} 1', "weft_config_last_reload_successful 1"):
        assert f"\n{line}\n" in text
    for family in ("weft_build_info{", "weft_endpoint_ready{", "process_resident_memory_bytes "):
        assert f"\n{family}" in text


def status(weft: Weft, *words: str) -> str:
    return run_weft("status", "--state", str(weft.state), "--window", "0.05", *words, code=0).stdout


def test_status_finds_the_weft_of_the_state_folder(weft: Weft) -> None:
    heading, line, _, _, rollout, _, dns = status(weft).splitlines()
    assert heading.split()[:3] == ["SERVICE", "TYPE", "ADDRESS"]
    assert line.split()[:2] == ["default/payment-svc", "ClusterIP"]
    assert "3/3" in line
    assert rollout.split()[1:] == ["3/3", "3", "3", "1", "NewReplicaSetAvailable"]
    assert dns == f"DNS at {weft.network.dns}"
    told = json.loads(status(weft, "--json"))
    assert told["ready"] == {"ready": True, "missing": []}
    assert told["services"][0]["endpoints"] == {"ready": 3, "total": 3}


def test_memory_stays_small(weft: Weft) -> None:
    weft.admin("/metrics")
    replicas = set(weft.replicas())
    total = 0
    for status_file in Path("/proc").glob("[0-9]*/status"):
        fields = dict(line.split(":", 1) for line in status_file.read_text().splitlines() if ":" in line)
        pid, parent = int(fields["Pid"]), int(fields["PPid"])
        if weft.process.pid in (pid, parent) and pid not in replicas:
            total += int(fields["VmRSS"].split()[0])
    assert 20 << 10 < total < 60 << 10, "kB of weft and its keeper, as /proc counts them"


def test_a_second_weft_on_the_state_folder_is_refused(weft: Weft, tmp_path: Path) -> None:
    other = Weft(payment(tmp_path / "payment", Network.random()), weft.network, "--state", str(weft.state))
    assert other.process.wait(30) == 1
    assert other.err.read_text().startswith(f"weft: another weft (process {weft.process.pid}) uses the state folder ")


def test_a_taken_admin_port_ends_the_start(weft: Weft, tmp_path: Path) -> None:
    network = Network.random()
    other = Weft(payment(tmp_path / "payment", network, admin=weft.network.admin), network)
    assert other.process.wait(30) == 1
    text = other.err.read_text()
    assert text.startswith(f"weft: the admin address {weft.network.admin} cannot be used (")
    assert f'set spec.admin: "{weft.network.prefix}.254:9902" in the NodeConfig ({tmp_path}' in text


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_a_taken_service_port_ends_the_start(kind: str, tmp_path: Path) -> None:
    network = Network.random()
    folder = payment(tmp_path / "payment", network)
    host, port = (network.node, 30999) if kind == "NodePort" else (f"{network.prefix}.9", 8999)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {
            "type": kind,
            "clusterIP": f"{network.prefix}.9",
            "ports": [{"port": 8999, **({"nodePort": 30999} if kind == "NodePort" else {})}],
        },
    }
    (folder / "web.json").write_text(json.dumps(service))
    with socket.create_server((host, port)):
        weft = Weft(folder, network)
        assert weft.process.wait(30) == 1
    text = weft.err.read_text()
    assert f"weft: {kind} {host}:{port} of Service default/web: {host}:{port} is taken by another program" in text
    assert f" in the NodeConfig ({folder / 'node.json'}:1:1)" in text
    assert (f"nodePort: 31000 in the Service ({folder / 'web.json'}:1:1)" in text) is (kind == "NodePort")
    assert weft.replicas() == [], "nothing was started"


def test_an_object_with_errors_disables_only_itself(tmp_path: Path) -> None:
    network = Network.random()
    folder = payment(tmp_path / "payment", network)
    (folder / "bad.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {prots: []}\n")
    with running(folder, network) as weft:
        assert f"{folder}/bad.yaml:4:" in weft.err.read_text()
        assert ask(weft.address("payment-svc")).status == 200
        faults = weft.admin("/api/v1/config").json["faults"]
        assert sorted(fault["severity"] for fault in faults) == ["error", "warning"], "it has no endpoints either"
        assert "\nweft_config_last_reload_successful 0\n" in weft.admin("/metrics").body.decode()


@pytest.mark.parametrize(("number", "loop"), [(signal.SIGTERM, ""), (signal.SIGINT, "asyncio")])
def test_it_stops_when_asked_and_leaves_nothing_behind(number: int, loop: str, tmp_path: Path) -> None:
    network = Network.random()
    with running(payment(tmp_path / "payment", network), network, loop=loop) as weft:
        replicas = weft.replicas()
        assert len(replicas) == 3
        assert all(map(alive, replicas))
        address = weft.address("payment-svc")
        assert weft.stop(number) == 0
        assert not any(map(alive, replicas))
        assert weft.out.read_text().endswith("stopped\n")
        assert "Traceback" not in weft.err.read_text()
    host, _, port = address.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_killed_it_leaves_no_orphans(tmp_path: Path) -> None:
    network = Network.random()
    with running(payment(tmp_path / "payment", network), network) as weft:
        replicas = weft.replicas()
        os.kill(weft.process.pid, signal.SIGKILL)
        wait_for(lambda: not any(map(alive, replicas)))


def test_addresses_are_remembered_over_restarts(tmp_path: Path) -> None:
    """Not only made of the name again: what is remembered here is another address than the name leads to."""
    network = Network.random()
    folder = payment(tmp_path / "payment", network)
    with running(folder, network) as weft:
        host, _, port = weft.address("payment-svc").rpartition(":")
        assert weft.stop() == 0
    remembered = weft.state / "assignments.json"
    written = json.loads(remembered.read_text())
    assert written["cluster_ips"] == {"default/payment-svc": host}
    other = f"{network.prefix}.{100 if host != f'{network.prefix}.100' else 101}"
    remembered.write_text(json.dumps(written | {"cluster_ips": {"default/payment-svc": other}}))
    with running(folder, network) as weft:
        assert weft.address("payment-svc") == f"{other}:{port}"
        assert weft.stop() == 0


def test_the_access_log_is_written_when_asked_for(weft: Weft) -> None:
    assert ask(weft.address("payment-svc"), "/logged?x=1").status == 200
    found = wait_for(lambda: re.search(r".*/logged.*\n", weft.out.read_text()))
    record = json.loads(found[0])
    assert (record["service"], record["status"], record["method"]) == ("payment-svc", 200, "GET")
