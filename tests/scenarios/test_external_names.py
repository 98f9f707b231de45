"""ExternalName Services behind an Ingress of a real ``weft up``: names that resolve, do not, and lead back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.editing import Folder, serving_of
from tests.scenarios.manifests import deployment, ingress, policy, service
from tests.scenarios.weft import Answer, Weft, ask, wait_for


def external(name: str, stands_for: str) -> dict[str, Any]:
    spec = {"type": "ExternalName", "externalName": stands_for}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def to(name: str, number: int, host: str = "") -> dict[str, Any]:
    made = ingress(name, host or f"{name}.test", name)
    made["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] = {"number": number}
    return made


@pytest.fixture(scope="module")
def weft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    folder = Folder(tmp_path_factory.mktemp("external") / "manifests")
    folder.put(
        "all",
        deployment("app", 1),
        service("app", app="app"),
        external("inner", "app.default.svc.cluster.local"),
        to("inner", 8080),
        external("nowhere", "nowhere.default.svc.cluster.local"),
        to("nowhere", 8080),
        external("round", folder.network.node),
        to("round", 8080),
        service("half", app="app"),
        policy("half", split=[{"service": "inner", "port": 8080}]),
        ingress("half", "half.test", "half"),
    )
    with serving_of(folder) as started:
        yield started
        assert started.stop() == 0


def asked(weft: Weft, host: str) -> Answer:
    return ask(f"{weft.network.node}:8080", "/", Host=host)


def test_a_name_of_the_cluster(weft: Weft) -> None:
    answer = wait_for(lambda: (found := asked(weft, "inner.test")).status == 200 and found, weft.told)
    assert "Host: inner.test" in json.loads(answer.body)["lines"], "the client's Host is kept"


def test_a_name_that_does_not_resolve_is_told(weft: Weft) -> None:
    answer = asked(weft, "nowhere.test")
    assert answer.status == 502
    assert "dns_error" in answer.fields["proxy-status"]
    assert "does not resolve" in answer.body.decode()


def test_a_split_may_lead_there(weft: Weft) -> None:
    wait_for(lambda: asked(weft, "half.test").status == 200, weft.told)


def test_what_leads_back_to_the_ingress_is_not_sent_there(weft: Weft) -> None:
    assert asked(weft, "round.test").status == 502
    wait_for(lambda: "Service default/round: " in weft.told(), weft.told)
    assert weft.told().count("leads back to this node's own listeners") == 1
