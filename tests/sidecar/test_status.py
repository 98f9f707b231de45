"""What ``weft status`` shows."""

from __future__ import annotations

import io
from typing import Any

import pytest

from sidecar.status import MOST_FAULTS, Report, ingress_lines, ingresses, node_lines, remarks
from sidecar.terminal import Painter
from sidecar.traffic import Rate

READY = {"ready": True, "missing": []}
READ = {"at": "2026-01-01T00:00:00.000Z", "successful": True}
SERVICES: list[dict[str, Any]] = [
    {
        "namespace": "default",
        "name": "web",
        "type": "NodePort",
        "clusterIP": "127.96.0.9",
        "ports": [
            {
                "name": "http",
                "port": 80,
                "nodePort": 30080,
                "protocol": "TCP",
                "listens": ["127.96.0.9:8080", "127.0.0.1:30080"],
            }
        ],
        "endpoints": {"ready": 2, "total": 3},
    },
    {
        "namespace": "default",
        "name": "other",
        "type": "ExternalName",
        "clusterIP": "",
        "ports": [],
        "endpoints": {"ready": 0, "total": 0},
    },
]


def test_the_table() -> None:
    ready = {"ready": False, "missing": [{"what": "Deployment default/web", "why": "2/3 replicas ready"}]}
    rates = [Rate("default", "web", "http", 12.34, 0.0, 0.0042)]
    lines = Report(SERVICES, ready, rates, [], READ, []).render(Painter(io.StringIO())).split("\n")
    assert lines[0].split() == ["SERVICE", "TYPE", "ADDRESS", "PORT", "READY", "REQ/S", "P99", "SERVED", "AT"]
    assert lines[1].split() == [
        "default/web", "NodePort", "127.96.0.9", "http:80:30080/TCP", "2/3", "12.3", "4.2ms",
        "127.96.0.9:8080", "127.0.0.1:30080",
    ]  # fmt: skip
    assert lines[2].split() == ["default/other", "ExternalName", "-", "-", "0/0", "-", "-", "-"]
    assert lines[4:] == ["not ready:", "  Deployment default/web: 2/3 replicas ready"]


def test_platforms() -> None:
    docker = {
        "name": "docker",
        "host": "unix:///run/docker.sock",
        "replicas": 3,
        "reason": "gone",
        "since": None,
        "remarks": [],
    }
    told = [
        {**docker, "connected": True},
        {**docker, "connected": False, "since": "2026-01-01T00:00:00.000Z"},
        {**docker, "connected": False},
        {**docker, "connected": True, "remarks": [f"port {number} is Docker's" for number in range(12)]},
    ]
    report = Report([], READY, [], [], READ, [], platforms=told)
    assert report.render(Painter(io.StringIO())).split("\n")[2:] == [
        "docker at unix:///run/docker.sock: 3 replicas",
        "docker at unix:///run/docker.sock: 3 replicas, stale since 2026-01-01T00:00:00.000Z: gone",
        "docker at unix:///run/docker.sock: 3 replicas, stale: gone",
        "docker at unix:///run/docker.sock: 3 replicas",
        *(f"  port {number} is Docker's" for number in range(10)),
        "  ... and 2 more",
    ]
    assert report.as_json()["platforms"] == told


def test_rollouts() -> None:
    numbers = {"namespace": "default", "name": "web", "ready": 2, "replicas": 3, "updated": 1, "available": 2}
    conditions = [{"type": "Progressing", "reason": "ReplicaSetUpdated"}]
    told = [
        numbers | {"revision": 4, "conditions": conditions, "rolledBack": ""},
        numbers | {"revision": 5, "conditions": [], "rolledBack": "it was late"},
    ]
    report = Report([], READY, [], [], READ, [], rollouts=told)
    lines = report.render(Painter(io.StringIO())).split("\n")
    assert [line.split() for line in lines[2:]] == [
        ["DEPLOYMENT", "READY", "UP-TO-DATE", "AVAILABLE", "REVISION", "ROLLOUT"],
        ["default/web", "2/3", "1", "2", "4", "ReplicaSetUpdated"],
        ["default/web", "2/3", "1", "2", "5", "-,", "rolled", "back"],
    ]
    assert report.as_json()["rollouts"] == told


def test_an_undo_is_remarked_on_once() -> None:
    told = {"namespace": "default", "name": "web", "ready": 2, "replicas": 2, "updated": 2, "available": 2}
    told |= {"revision": 3, "conditions": [], "rolledBack": ""}
    for departs in (False, True):
        report = Report([], READY, [], [], READ, [], rollouts=[told | {"departs": departs}] * 2)
        text = report.render(Painter(io.StringIO()))
        assert text.count("-, undone\n") == 2 * departs
        assert text.count("the template in force is not the manifest's") == departs


@pytest.mark.parametrize(("failure", "said"), [("", ["no services"]), ("why", ["no services", "", "why"])])
def test_why_no_manifests_come_from_a_registry(failure: str, said: list[str]) -> None:
    report = Report([], READY, [], [], READ, [], cut_off=failure)
    lines = report.render(Painter(io.StringIO())).split("\n")
    assert [line.rpartition(": ")[2] for line in lines] == said
    assert report.as_json()["cutOff"] == failure


def test_nothing_to_show() -> None:
    assert Report([], READY, [], [], READ, []).render(Painter(io.StringIO())) == "no services"


def test_remarks() -> None:
    status = {"state": "accepted", "reasons": []}
    fine = {"kind": "Service", "namespace": "default", "name": "web", "source": "a", "status": status}
    pending = {**fine, "kind": "Ingress", "status": {"state": "pending", "reasons": ["one", "two"]}, "object": {}}
    report = Report([], READY, [], remarks([fine, pending]), READ, [])
    text = report.render(Painter(io.StringIO()))
    assert text.splitlines()[2:] == ["remarks:", "  Ingress default/web: pending: one; two"]
    (item,) = report.as_json()["remarks"]
    assert item == {key: value for key, value in pending.items() if key != "object"}


def test_errors_and_warnings_in_the_manifests() -> None:
    fault: dict[str, Any] = {
        "severity": "error",
        "source": "a.yaml:1:1",
        "object": "Service/x",
        "path": "spec",
        "message": "bad",
    }
    faults = [{**fault, "severity": "warning"}, {**fault, "severity": "notice"}, *[fault] * (MOST_FAULTS + 2)]
    report = Report([], READY, [], [], READ, faults)
    lines = report.render(Painter(io.StringIO())).splitlines()
    assert lines[2] == "errors in the manifests, as read at 2026-01-01T00:00:00.000Z:"
    assert lines[3] == "  a.yaml:1:1: Service/x: spec: bad"
    assert lines[3 + MOST_FAULTS :] == [
        "  ... and 2 more", "",
        "warnings in the manifests, as read at 2026-01-01T00:00:00.000Z:", "  a.yaml:1:1: Service/x: spec: bad",
    ]  # fmt: skip
    assert report.as_json()["read"] == READ


def test_where_dns_is_served_and_what_it_does_not_tell() -> None:
    source = {"namespace": "default", "service": "web", "name": "web.example", "type": "A", "targets": 1, "failure": ""}
    dns = {"wanted": "127.0.0.1:1053", "served": "127.0.0.1:1053", "note": "", "sources": [source]}
    report = Report(SERVICES, READY, [], [], READ, [], dns)
    assert report.as_json()["dns"] == dns
    assert report.render(Painter(io.StringIO())).split("\n")[-1] == "DNS at 127.0.0.1:1053"
    failing = {**dns, "served": "", "note": "it is taken", "sources": [{**source, "failure": "no answer"}]}
    text = Report(SERVICES, READY, [], [], READ, [], failing).render(Painter(io.StringIO()))
    assert text.split("\n")[-2:] == ["DNS is not served: it is taken", "  Service default/web: A: no answer"]


FOLLOWED = {
    "serial": 7, "registry": "192.0.2.1:53", "age": 0.26, "stale": False, "failure": "",
    "registered": 9, "registering": "",
}  # fmt: skip
WHAT_IS_FOLLOWED: dict[str, tuple[dict[str, Any], str]] = {
    "well": ({}, "registry 192.0.2.1:53: serial 7, heard 0.3 s ago, 9 records registered"),
    "stale": (
        {"age": 90.0, "stale": True, "failure": "no answer"},
        "registry 192.0.2.1:53: serial 7, heard 90.0 s ago, 9 records registered; stale: no answer",
    ),
    "gone for both": (
        {"age": 90.0, "stale": True, "failure": "no answer", "registering": "no answer"},
        "registry 192.0.2.1:53: serial 7, heard 90.0 s ago, 9 records registered; stale: no answer",
    ),
    "never": ({"age": None}, "registry 192.0.2.1:53: serial 7, never heard, 9 records registered"),
    "refused": (
        {"registering": "it answers REFUSED"},
        "registry 192.0.2.1:53: serial 7, heard 0.3 s ago, 9 records registered: it answers REFUSED",
    ),
}


@pytest.mark.parametrize(("said", "line"), WHAT_IS_FOLLOWED.values(), ids=WHAT_IS_FOLLOWED)
def test_which_registry_is_followed_and_how_well(said: dict[str, Any], line: str) -> None:
    dns = {
        "served": "127.0.0.1:1053",
        "sources": [],
        "zones": {"endpoints": {**FOLLOWED, **said}, "nodes": {"serial": 1}},
    }
    report = Report([], READY, [], [], READ, [], dns)
    assert report.render(Painter(io.StringIO())).split("\n")[-2:] == ["DNS at 127.0.0.1:1053", line]


def test_a_registry_says_that_expiry_is_stopped() -> None:
    zone = {"serial": 7, "names": 3, "leases": 2}
    for stopped in (False, True):
        zones = {"endpoints": {**zone, "expirySuspended": stopped, "silentRecords": 14}, "nodes": {"serial": 1}}
        dns = {"served": "127.0.0.1:1053", "sources": [], "zones": zones}
        _, *said = (
            Report([], READY, [], [], READ, [], dns).render(Painter(io.StringIO())).split("DNS at 127.0.0.1:1053")
        )
        lines = said[0].strip().splitlines()
        assert len(lines) == stopped
        assert all(words in line for line in lines for words in ("expiry of endpoints is stopped: 14 ", "nsupdate"))


def test_nodes_of_a_registry_are_shown_with_what_they_lack() -> None:
    here = {
        "name": "here", "leased": True, "connected": True, "role": "node", "version": "0.1", "address": "10.0.0.1",
        "serial": 10, "lag": 2, "manifests": 4, "lastContactSeconds": 3.2, "connectedSeconds": 3.0,
    }  # fmt: skip
    nodes = {
        "nodes": [here, {"name": "leased", "leased": True, "connected": False}],
        "unconfirmed": [{"at": "2026-01-01T00:00:00Z", "serial": 11, "nodes": ["here", "leased"]}],
    }
    lines = list(node_lines(nodes, Painter(io.StringIO())))
    assert [line.split() for line in lines[1:3]] == [
        ["here", "node", "connected", "10", "2", "3s", "0.1"],
        ["leased", "-", "registered", "-", "-", "-", "-"],
    ]
    assert lines[3] == "serial 11 was not confirmed in time by here, leased, at 2026-01-01T00:00:00Z"


def test_ingresses_are_shown_by_host_and_where_they_are_served() -> None:
    listens = [["127.0.0.1", 8080, "TCP"]], [["::1", 8443, "TCP"]]
    ports = [{"protocol": name, "listens": at} for name, at in zip(("http", "https"), listens, strict=True)]
    rules = [{"host": "shop.localhost"}, {"host": "shop.localhost"}, {}]
    shop = {"kind": "Ingress", "namespace": "default", "name": "shop", "object": {"spec": {"rules": rules}}}
    other = {**shop, "name": "other", "object": {"spec": {}}, "status": {"reasons": []}}
    web = {"kind": "Service", "namespace": "default", "name": "web"}
    found = ingresses([{**shop, "status": {"ports": ports}}, other, web])
    assert list(ingress_lines(found, Painter(io.StringIO()))) == [
        "INGRESS        HOST            SERVED AT",
        "default/shop   shop.localhost  http://127.0.0.1:8080 https://[::1]:8443",
        "default/shop   *               http://127.0.0.1:8080 https://[::1]:8443",
        "default/other  *               -",
    ]
    report = Report([], READY, [], [], READ, [], ingresses=found * 20)
    assert report.render(Painter(io.StringIO())).endswith("... and 40 more")
    assert report.as_json()["ingresses"] == found * 20
