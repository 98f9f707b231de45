"""What a reload would change: nothing for the same files, and never what has errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.loader import load
from config.meta import ObjectKey
from discovery.allocation import allocate
from discovery.assignments import Assignments, save_assignments
from sidecar.comparison import Comparison, compare
from sidecar.differences import Difference, differences
from sidecar.fingerprints import new_fingerprints
from sidecar.redaction import Hide, hidden, shown

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {type: NodePort, ports: [{port: 80}]}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {password: hunter2}
---
apiVersion: weft.dev/v1
kind: TrafficPolicy
metadata: {name: shop}
spec: {targetRef: {kind: Service, name: shop}, timeouts: {idle: 90s}}
"""
OTHER = "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "manifests" / "all.yaml").write_text(MANIFESTS)
    (tmp_path / "manifests" / "other.yaml").write_text(OTHER)
    return tmp_path


def listed(folder: Path, hide: Hide) -> list[Any]:
    """As a weft that runs what is written lists it."""
    allocated = allocate(load([folder / "manifests"]).config_set, Assignments({"default/shop": "127.96.77.7"}))
    config_set = allocated.config_set
    save_assignments(folder / "state" / "assignments.json", allocated.assignments)
    items = [
        key._asdict() | {"source": str(source), "object": shown(config_set.get(key), hide)}
        for key, source in config_set.sources.items()
    ]
    return list(json.loads(msgspec.json.encode(items)))


def compared(folder: Path, change: tuple[str, str] = ("", ""), file: str = "all.yaml") -> Comparison:
    """With what runs, after `change` of a text in a file."""
    running = listed(folder, new_fingerprints(folder / "state"))
    path = folder / "manifests" / file
    path.write_text(path.read_text().replace(*change) if change[0] else path.read_text())
    return compare(running, [folder / "manifests"], folder / "state")


def found(comparison: Comparison) -> list[Difference]:
    return list(differences(comparison.before, comparison.after))


def test_the_same_files_change_nothing(folder: Path) -> None:
    comparison = compared(folder)
    assert len(comparison.before) == 4
    assert (found(comparison), comparison.faults, comparison.kept) == ([], (), ())
    assert comparison.secrets_compared


CHANGES = {
    "a field": (("idle: 90s", "idle: 91s"), "TrafficPolicy", "spec.timeouts.idle"),
    "another spelling": (("idle: 90s", "idle: 1m30s"), "", ""),
    "a secret": (("hunter2", "hunter3"), "Secret", "stringData.password"),
    "a port": (("port: 80", "port: 81"), "Service", "spec.ports[0].port"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(folder: Path, name: str) -> None:
    change, kind, path = CHANGES[name]
    differing = found(compared(folder, change))
    assert [each.key.kind for each in differing] == ([kind] if kind else [])
    if kind:
        assert path in [each.path for each in differing[0].changes]


def test_objects_come_and_go(folder: Path) -> None:
    differing = found(compared(folder, ("name: other", "name: another"), "other.yaml"))
    assert [(each.key.name, each.what) for each in differing] == [("another", "added"), ("other", "removed")]


def test_what_has_errors_stays_as_it_is(folder: Path) -> None:
    comparison = compared(folder, ("port: 80", "port: eighty"))
    assert found(comparison) == []
    assert ObjectKey("Service", "default", "shop") in comparison.kept
    assert "expected a whole number" in comparison.faults[0].message


def test_what_stood_in_a_file_that_cannot_be_read_stays(folder: Path) -> None:
    comparison = compared(folder, ("kind: Namespace", "kind: [[["), "other.yaml")
    assert found(comparison) == []
    assert comparison.kept == (ObjectKey("Namespace", "", "other"),)


def test_without_the_state_folder_addresses_are_known_and_secrets_are_not(folder: Path) -> None:
    running = listed(folder, new_fingerprints(folder / "state"))
    manifests = folder / "manifests" / "all.yaml"
    manifests.write_text(manifests.read_text().replace("hunter2", "hunter3"))
    comparison = compare(running, [folder / "manifests"], folder / "nowhere")
    assert not comparison.secrets_compared
    assert found(comparison) == []


def test_the_state_folder_of_another_weft_says_nothing(folder: Path) -> None:
    """As when `weft diff` is given the admin address of one weft and finds the state of another."""
    running = listed(folder, new_fingerprints(folder / "state"))
    new_fingerprints(folder / "state")
    save_assignments(folder / "state" / "assignments.json", Assignments({"default/shop": "127.96.1.1"}))
    comparison = compare(running, [folder / "manifests"], folder / "state")
    assert not comparison.secrets_compared
    assert found(comparison) == []


def test_a_weft_that_hides_merely(folder: Path) -> None:
    running = listed(folder, hidden)
    assert found(compare(running, [folder / "manifests"], folder / "state")) == []


NEWCOMER = "apiVersion: v1\nkind: Service\nmetadata: {name: aaa}\nspec: {%s}\n"
CLAIMS = {
    "an address": "clusterIP: 127.96.77.7, ports: [{port: 80}]",
    "a node port": "type: NodePort, ports: [{port: 80, nodePort: PORT}]",
}


@pytest.mark.parametrize("unclear", [False, True], ids=["read", "unreadable"])
@pytest.mark.parametrize("name", CLAIMS)
def test_a_newcomer_moves_nothing(name: str, unclear: bool, folder: Path) -> None:
    running = listed(folder, new_fingerprints(folder / "state"))
    port = next(each["object"]["spec"]["ports"][0]["nodePort"] for each in running if each["kind"] == "Service")
    (folder / "manifests" / "aaa.yaml").write_text(NEWCOMER % CLAIMS[name].replace("PORT", str(port)))
    if unclear:
        (folder / "manifests" / "all.yaml").write_text("{")
    comparison = compare(running, [folder / "manifests"], folder / "state")
    assert found(comparison) == []
    told = [fault.message for fault in comparison.faults if fault.object == ObjectKey("Service", "default", "aaa")]
    assert ["Service/default/shop" in message for message in told] == [True]


def test_a_policy_that_runs_keeps_its_target(folder: Path) -> None:
    text = MANIFESTS.rpartition("---")[2].replace("name: shop}\nspec", "name: aaa}\nspec")
    comparison = compared(folder, (OTHER, f"{OTHER}---{text}"), "other.yaml")
    assert found(comparison) == []
    assert [fault.object.name for fault in comparison.faults if fault.object] == ["aaa"]


def test_what_another_version_knows_differently_stands_in_nobodys_way(folder: Path) -> None:
    running = listed(folder, new_fingerprints(folder / "state"))
    next(each for each in running if each["kind"] == "Service")["object"]["spec"]["type"] = "Other"
    comparison = compare(running, [folder / "manifests"], folder / "state")
    assert [(each.key.name, each.what) for each in found(comparison)] == [("shop", "changed")]
