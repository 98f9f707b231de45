"""``weft get`` as a user types it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from sidecar import cli
from sidecar.commands.get import stored
from sidecar.errors import UserError
from tests.sidecar.commanding import answering
from tests.sidecar.test_objects import item

ITEMS = [
    item("Service", "shop", spec={"ports": [{"port": 80}], "clusterIP": "127.96.0.1"}),
    item("Service", "cart", "other", spec={"ports": []}),
    item("Secret", "key", stringData={"password": "(hidden)"}),
]
ITEMS[1]["status"] = {"state": "pending", "reasons": ["waits for a clusterIP"], "ports": []}


@pytest.fixture
def address() -> Iterator[str]:
    with answering({"/api/v1/config": {"objects": ITEMS}, "/api/v1/endpoints": {"endpoints": ENDPOINTS}}) as address:
        yield address


def test_a_table(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["get", "svc", "--admin", address]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "PORTS", "STATE", "SOURCE"],
        ["default", "shop", "ClusterIP", "127.96.0.1", "80/TCP", "accepted", "a.yaml:1:1"],
        ["other", "cart", "ClusterIP", "-", "-", "pending", "a.yaml:1:1"],
        [],
        ["Service", "other/cart:", "pending:", "waits", "for", "a", "clusterIP"],
    ]


@pytest.mark.parametrize("words", [["services", "cart", "-n", "other"], ["svc/cart"]])
def test_one_as_json(words: list[str], address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["get", *words, "--json", "--admin", address]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["metadata"], found["apiVersion"]) == ("Service", {"name": "cart"}, "v1")


def test_all_as_yaml(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["get", "all", "-o", "yaml", "--admin", address]) == 0
    printed = capsys.readouterr()
    assert "do not apply this" in printed.err
    found = yaml.safe_load(printed.out)
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert [each["kind"] for each in found["items"]] == ["Secret", "Service", "Service"]


MISTAKES = {
    "no such pod": (["pods", "shop-1-z", "-n", "default"], 'get: pod "shop-1-z" not found in namespace default; did'),
    "no such kind": (["job"], 'get: no kind is called "job"'),
    "no such name": (["svc", "shp"], 'get: Service "shp" not found; did you mean "shop"?'),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(address: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, says = MISTAKES[name]
    assert cli.main(["get", *words, "--admin", address]) == 1
    assert says in capsys.readouterr().err


def test_none_of_a_kind(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["get", "ingresses", "--admin", address]) == 0
    assert capsys.readouterr() == ("", "no Ingress is in force\n")


def test_no_endpoints_leads_to_those_in_use(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["get", "endpoints", "--admin", address]) == 0
    assert capsys.readouterr().err == "no Endpoints is in force; weft get pods shows endpoints that are in use\n"


ENDPOINT = {
    "namespace": "default", "service": "shop", "servicePort": "http", "address": "127.97.0.1", "port": 4000,
    "ready": True, "terminating": False, "replica": "shop-1-x", "node": "n1",
}  # fmt: skip
ENDPOINTS = [
    ENDPOINT,
    ENDPOINT | {"address": "::1", "ready": False, "replica": "", "namespace": "other"},
    ENDPOINT | {"terminating": True, "replica": "shop-1-y"},
]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            ["pods"],
            [
                "127.97.0.1:4000 ready shop-1-x n1",
                "[::1]:4000 not ready - n1",
                "127.97.0.1:4000 terminating shop-1-y n1",
            ],
        ),
        (["replicas", "shop-1-y"], ["127.97.0.1:4000 terminating shop-1-y n1"]),
        (["po", "-n", "other"], ["[::1]:4000 not ready - n1"]),
        (["pods", "-n", "nowhere"], []),
    ],
)
def test_replicas_are_the_endpoints_that_they_are(
    words: list[str], shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with answering({"/api/v1/endpoints": {"endpoints": ENDPOINTS}}) as address:
        assert cli.main(["get", *words, "--admin", address]) == 0
        printed = capsys.readouterr()
        assert [" ".join(line.split()[3:]) for line in printed.out.splitlines()[1:]] == shown
        assert bool(printed.err) is not bool(shown)
        assert cli.main(["get", *words, "--json", "--admin", address]) == 0
        assert len(json.loads(capsys.readouterr().out)) == len(shown)


def test_what_is_stored_has_the_source_that_it_was_applied_from() -> None:
    items = [{"kind": "Service", "namespace": "default", "name": name, "source": "x:2:1"} for name in ("web", "own")]
    key = {"kind": "Service", "namespace": "default", "name": "web"}
    said = {"manifests": [{**key, "source": "web.yaml:1:1"}, {**key, "name": "elsewhere", "source": "y:1:1"}]}
    assert stored(items, said) == [{**items[0], "source": "web.yaml:1:1"}]
    with pytest.raises(UserError, match="no registry"):
        stored(items, {"error": "no such path"})
