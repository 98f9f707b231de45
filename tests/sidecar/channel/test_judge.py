"""What may be stored: judged as a whole, with what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.configset import Loaded
from config.errors import Fault
from config.meta import Named, ObjectKey, Source
from config.resources.core import GIVEN
from sidecar.channel.judge import LARGEST, judge
from sidecar.channel.proposal import Proposal
from tests.scenarios.manifests import deployment, ingress, policy, service

WEB, SHOP = service("web"), service("shop")
TO_WEB = ingress("site", "a.example", "web")
BROKEN = {**service("bad"), "spec": {"ports": [{"port": 0}]}}
NODE = {"apiVersion": "weft.dev/v1", "kind": "NodeConfig", "metadata": {"name": "n"}}
OTHER_RANGE = {**NODE, "spec": {"serviceRange": {"cidr": "127.50.0.0/16"}}}
MANAGER = {**NODE, "spec": {"platforms": ["swarm"]}}
FIXED = {**service("fixed"), "spec": {"clusterIP": "127.50.0.9", "ports": [{"port": 80}]}}
WRITTEN = {**service("zz"), "spec": {"clusterIP": "127.96.0.9", "ports": [{"port": 80}]}}
WRITTEN_OPEN = {**service("zz"), "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}}
WRITTEN_BALANCED = {**service("zz"), "spec": {"type": "LoadBalancer", "ports": [{"port": 8080}]}}
TAKES: dict[str, tuple[Any, Any, str, str]] = {
    "the ClusterIP": (
        {**service("aa"), "spec": {"clusterIP": "127.96.0.9", "ports": [{"port": 80}]}}, WRITTEN, "spec.clusterIP",
        "127.96.0.9 is the address of Service/default/zz (the registry's 0.json:10:",
    ),
    "the node port": (
        {**service("aa"), "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}}, WRITTEN_OPEN,
        "spec.ports[0].nodePort", "30080 is a node port of Service/default/zz (the registry's 0.json:10:",
    ),
    "the port of a LoadBalancer": (
        {**service("aa"), "spec": {"type": "LoadBalancer", "ports": [{"port": 8080}]}}, WRITTEN_BALANCED,
        "spec.ports[0].port", "belongs to Service/default/zz (the registry's 0.json:10:",
    ),
    "all that, though it is older": (
        {
            **service("aa"), "metadata": {"name": "aa", "creationTimestamp": "2001-01-01T00:00:00Z"},
            "spec": {"clusterIP": "127.96.0.9", "ports": [{"port": 80}]},
        },
        WRITTEN, "spec.clusterIP", "Service/default/zz",
    ),
}  # fmt: skip
LARGE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "large"},
    "data": {"a": "x" * LARGEST},
}


def _proposal(
    new: list[Any], stored: list[Any] | None = None, gone: list[Any] | None = None, node: Any = None,
    own: list[Any] | None = None,
) -> Proposal:  # fmt: skip
    return Proposal(
        json.dumps(node) if node else "",
        [(_key(each), json.dumps(each)) for each in stored or ()],
        [(f"{number}.json", json.dumps(each)) for number, each in enumerate(new)],
        [_key(each) for each in gone or ()],
        [(_key(each), Source("0.json", 10 * line, 1), json.dumps(each)) for line, each in enumerate(own or (), 1)],
    )


def _key(manifest: Any) -> ObjectKey:
    return ObjectKey(manifest["kind"], "default", manifest["metadata"]["name"])


ROWS: dict[str, tuple[Proposal, str]] = {
    "one by itself": (_proposal([WEB]), ""),
    "one that needs another new one": (_proposal([TO_WEB, WEB]), ""),
    "one that needs a stored one": (_proposal([TO_WEB], [WEB]), ""),
    "one that needs what nobody has": (_proposal([TO_WEB]), "0.json"),
    "one that needs what the swarm of the registry may have": (_proposal([TO_WEB], node=MANAGER), ""),
    "one that is faulty": (_proposal([WEB, BROKEN]), "1.json"),
    "one in place of a stored one": (_proposal([WEB], [WEB, TO_WEB]), ""),
    "one that breaks a stored one": (_proposal([service("web", {"other": 99})], [WEB, TO_WEB]), "stored"),
    "one beside a stored one that was broken before": (_proposal([SHOP], [TO_WEB]), ""),
    "the same twice": (_proposal([WEB, WEB]), "1.json"),
    "deleting what others need": (_proposal([], [WEB, TO_WEB], [WEB]), "stored"),
    "deleting what nobody needs": (_proposal([], [WEB, SHOP, TO_WEB], [SHOP]), ""),
    "configuration of a node alone": (_proposal([NODE]), "0.json"),
    "that, where the registry has its own": (_proposal([NODE], node=NODE), "0.json"),
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


@pytest.mark.parametrize("case", TAKES)
def test_what_a_service_of_the_registrys_own_files_has_is_taken(case: str) -> None:
    new, written, path, words = TAKES[case]
    for others in ([], [service("bb")]):
        loaded = judge(_proposal([new, *others], own=[written]))
        assert [(fault.severity, str(fault.object), fault.path) for fault in loaded.faults if fault.path == path] == [
            ("error", "Service/default/aa", path)
        ]
        assert any(words in fault.message for fault in loaded.faults)
    assert not _told(judge(_proposal([WEB], [SHOP], own=[written])))


@pytest.mark.parametrize("node", [None, NODE], ids=["no NodeConfig", "the registry's own"])
def test_a_nodeconfig_among_others_is_told_of_once_and_changes_nothing(node: Any) -> None:
    broken = {**NODE, "metadata": {"name": "broken"}, "spec": {"nonsense": 1}}
    loaded = judge(_proposal([OTHER_RANGE, WEB, broken], node=node))
    assert [str(fault) for fault in _told(loaded)] == [
        "0.json:1:1: NodeConfig/n: is never distributed: it belongs into the node's own files"
    ]
    assert (loaded.faults[-1].severity, set(loaded.config_set.sources)) == ("notice", {_key(WEB)})
    assert any(fault.severity == "error" for fault in judge(_proposal([OTHER_RANGE, FIXED], node=node)).faults)


def _told(loaded: Loaded) -> list[Fault]:
    """Without what is said of all Services here: that they select nothing."""
    return [fault for fault in loaded.faults if "no selector" not in fault.message]


STORED_OPEN = {**service("zz"), "metadata": {"name": "zz", "annotations": {GIVEN: "127.50.7.7"}}}
NEWCOMERS: dict[str, tuple[Any, Any, str]] = {
    **{name: TAKES[name][:3] for name in TAKES},
    "an address that was given": (
        {**service("aa"), "spec": {"clusterIP": "127.50.7.7", "ports": [{"port": 80}]}}, STORED_OPEN, "spec.clusterIP",
    ),
    "the target of a policy": (
        {**policy("web", timeouts={"idle": "5s"}), "metadata": {"name": "aa"}},
        {**policy("web", timeouts={"idle": "90s"}), "metadata": {"name": "zz"}}, "spec.targetRef",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NEWCOMERS)
def test_what_a_stored_object_has_is_taken(case: str) -> None:
    """Whatever the new one is called: the fault is its own, and names what has it."""
    new, stored, path = NEWCOMERS[case]
    node = OTHER_RANGE if "given" in case else None
    errors = [fault for fault in judge(_proposal([new], [WEB, stored], node=node)).faults if fault.severity == "error"]
    assert {(str(fault.object).rpartition("/")[2], fault.path) for fault in errors} == {("aa", path)}
    assert all(str(_key(stored)) in fault.message for fault in errors)


def test_where_the_registry_listens_is_nothing_to_nodes() -> None:
    balanced = {**service("web"), "spec": {"type": "LoadBalancer", "ports": [{"port": 9901}]}}
    assert not _told(judge(_proposal([balanced])))


def test_what_was_stored_before_is_not_held_against_others() -> None:
    new, written, *_ = TAKES["the ClusterIP"]
    assert not _told(judge(_proposal([WEB], [new], own=[written])))
    assert not _told(judge(_proposal([], [new], [new], own=[written])))


def test_the_same_service_stands_beside_that_of_the_files_with_its_address() -> None:
    copy = {**WRITTEN, "spec": {"ports": [{"port": 81}]}}
    for new in (copy, WRITTEN):
        loaded = judge(_proposal([new], own=[WRITTEN]))
        [fault] = _told(loaded)
        assert (fault.severity, fault.source.file, fault.object) == ("warning", "0.json", _key(WRITTEN))
        assert "is also written at the registry's 0.json:10:1" in fault.message
    assert judge(_proposal([copy], own=[WRITTEN])).config_set.services[Named("default", "zz")].metadata.annotations == {
        GIVEN: "127.96.0.9"
    }
    twice = judge(_proposal([copy, copy], own=[WRITTEN]))
    assert [fault.source.file for fault in twice.faults if fault.severity == "error"] == ["1.json"]


def test_an_open_address_is_none_of_the_registrys_own() -> None:
    given = judge(_proposal([WEB])).config_set.services[Named("default", "web")].metadata.annotations[GIVEN]
    taken = {**WRITTEN, "spec": {**WRITTEN["spec"], "clusterIP": given}}
    other = judge(_proposal([WEB], own=[taken]))
    assert not _told(other)
    assert other.config_set.services[Named("default", "web")].metadata.annotations[GIVEN] != given


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
