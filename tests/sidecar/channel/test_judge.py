"""What may be stored: judged as a whole, with what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.meta import Named, ObjectKey
from discovery.allocation import GIVEN
from sidecar.channel.judge import LARGEST, judge
from sidecar.channel.proposal import Proposal
from tests.scenarios.manifests import deployment, ingress, service

WEB, SHOP = service("web"), service("shop")
TO_WEB = ingress("site", "a.example", "web")
BROKEN = {**service("bad"), "spec": {"ports": [{"port": 0}]}}
NODE = {"apiVersion": "weft.dev/v1", "kind": "NodeConfig", "metadata": {"name": "n"}}
OTHER_RANGE = {**NODE, "spec": {"serviceRange": {"cidr": "127.50.0.0/16"}}}
FIXED = {**service("fixed"), "spec": {"clusterIP": "127.50.0.9", "ports": [{"port": 80}]}}
LARGE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "large"},
    "data": {"a": "x" * LARGEST},
}


def _proposal(
    new: list[Any], stored: list[Any] | None = None, gone: list[Any] | None = None, node: Any = None
) -> Proposal:
    return Proposal(
        json.dumps(node) if node else "",
        [(_key(each), json.dumps(each)) for each in stored or ()],
        [(f"{number}.json", json.dumps(each)) for number, each in enumerate(new)],
        [_key(each) for each in gone or ()],
    )


def _key(manifest: Any) -> ObjectKey:
    return ObjectKey(manifest["kind"], "default", manifest["metadata"]["name"])


ROWS: dict[str, tuple[Proposal, str]] = {
    "one by itself": (_proposal([WEB]), ""),
    "one that needs another new one": (_proposal([TO_WEB, WEB]), ""),
    "one that needs a stored one": (_proposal([TO_WEB], [WEB]), ""),
    "one that needs what nobody has": (_proposal([TO_WEB]), "0.json"),
    "one that is faulty": (_proposal([WEB, BROKEN]), "1.json"),
    "one in place of a stored one": (_proposal([WEB], [WEB, TO_WEB]), ""),
    "one that breaks a stored one": (_proposal([service("web", {"other": 99})], [WEB, TO_WEB]), "stored"),
    "one beside a stored one that was broken before": (_proposal([SHOP], [TO_WEB]), ""),
    "the same twice": (_proposal([WEB, WEB]), "1.json"),
    "deleting what others need": (_proposal([], [WEB, TO_WEB], [WEB]), "stored"),
    "deleting what nobody needs": (_proposal([], [WEB, SHOP, TO_WEB], [SHOP]), ""),
    "configuration of a node": (_proposal([WEB, NODE]), "1.json"),
    "that, where the registry has its own": (_proposal([WEB, NODE], node=NODE), "1.json"),
    "an address outside the default range": (_proposal([FIXED]), "0.json"),
    "that, inside the registry's own": (_proposal([FIXED], node=OTHER_RANGE), ""),
    "a large one": (_proposal([LARGE]), "0.json"),
    "no object at all": (Proposal("", [], [("0.yaml", "# nothing\n")], []), "0.yaml"),
    "no manifest": (Proposal("", [], [("0.yaml", "a: [")], []), "0.yaml"),
    "a Deployment": (_proposal([deployment("web", 2)]), ""),
}


@pytest.mark.parametrize(("proposal", "where"), ROWS.values(), ids=ROWS)
def test_what_speaks_against_storing(proposal: Proposal, where: str) -> None:
    loaded = judge(proposal)
    errors = [fault for fault in loaded.faults if fault.severity == "error"]
    if where:
        assert errors
        assert all(fault.source.file.startswith(where) and fault.source.line for fault in errors), errors
    else:
        assert not errors
        assert set(loaded.config_set.sources) == {_key(json.loads(text)) for _, text in proposal.new}


def test_a_service_keeps_the_address_that_it_was_given() -> None:
    def given_to(loaded: Any, name: str) -> str:
        return str(loaded.config_set.services[Named("default", name)].metadata.annotations[GIVEN])

    first = judge(_proposal([WEB]))
    address = given_to(first, "web")
    stored = {**SHOP, "metadata": {"name": "shop", "annotations": {GIVEN: address}}}
    assert given_to(judge(_proposal([WEB], [stored])), "web") != address
    again = judge(_proposal([SHOP, WEB], [stored]))
    assert given_to(again, "shop") == address != given_to(again, "web")


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"clusterIP": "127.96.0.9"}])
def test_one_that_says_its_address_is_given_none(spec: dict[str, str]) -> None:
    loaded = judge(_proposal([{**WEB, "spec": {**WEB["spec"], **spec}}]))
    assert not loaded.config_set.services[Named("default", "web")].metadata.annotations
