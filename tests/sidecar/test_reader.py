"""What is in force after reading: last good objects, addresses, and what the state folder remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.loader import load
from config.meta import Named, ObjectKey
from config.resources.core import ServiceSpec
from mesh.attachment import policy_statuses
from sidecar.reader import RECEIVED, read
from sidecar.state import FOUND

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: %s, creationTimestamp: %s}
spec: {type: NodePort, ports: [{port: 80, nodePort: %d}]}
---
"""
OLD, NEW = "2020-01-01T00:00:00Z", "2024-01-01T00:00:00Z"
WEB, API = Named("default", "web"), Named("default", "api")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def test_a_mistake_keeps_what_was_good_over_restarts(tmp_path: Path, state: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(SERVICE % ("web", OLD, 30080))
    before = read([file], state)
    assert before.config_set.services[WEB].spec.cluster_ip
    file.write_text("{")
    for _ in range(2):
        after = read([file], state)
        assert after.config_set == before.config_set
        assert after.kept == (ObjectKey("Service", *WEB),)
        assert after.failed


def test_a_service_that_takes_the_port_of_another_keeps_its_own(tmp_path: Path, state: Path) -> None:
    file = tmp_path / "both.yaml"
    file.write_text(SERVICE % ("web", OLD, 30080) + SERVICE % ("api", NEW, 30081))
    read([file], state)
    file.write_text(SERVICE % ("web", OLD, 30080) + SERVICE % ("api", NEW, 30080))
    for _ in range(2):
        after = read([file], state)
        assert [fault.object for fault in after.faults if fault.severity == "error"] == [ObjectKey("Service", *API)]
        assert after.config_set.services[API].spec.ports[0].node_port == 30081
        assert after.kept == (ObjectKey("Service", *API),)


def test_a_new_service_that_takes_the_port_of_another_is_left_out(tmp_path: Path, state: Path) -> None:
    file = tmp_path / "both.yaml"
    file.write_text(SERVICE % ("web", OLD, 30080) + SERVICE % ("api", NEW, 30080))
    after = read([file], state)
    assert set(after.config_set.services) == {WEB}
    assert [key.name for key in after.config_set.sources] == ["web"]
    assert after.kept == ()


def test_files_of_the_state_folder_make_no_other_project_of_it(tmp_path: Path, state: Path) -> None:
    """What a platform finds is written there as soon as there is something."""
    file, found = tmp_path / "web.yaml", state / FOUND
    file.write_text(SERVICE % ("web", OLD, 30080))
    read([file], state)
    found.write_text(SERVICE % ("api", OLD, 30081))
    file.write_text("{")
    assert read([file, found], state).kept == (ObjectKey("Service", *WEB),)


def test_without_mistakes_it_is_what_the_loader_says(tmp_path: Path, state: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(SERVICE % ("web", OLD, 30080))
    after = read([file], state)
    assert after.config_set.sources == load([file]).config_set.sources
    assert after.faults == load([file]).faults


def test_what_came_by_the_channel_gives_way_to_own_manifests(tmp_path: Path) -> None:
    own, received = tmp_path / "own.yaml", tmp_path / RECEIVED
    received.parent.mkdir()
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\ndata: {{from: {}}}\n"
    own.write_text(text.format("both", "own"))
    received.write_text("---\n".join(text.format(name, "registry") for name in ("both", "other")))
    loaded = read([own, received], tmp_path)
    assert {name.name: item.data["from"] for name, item in loaded.config_set.config_maps.items()} == {
        "both": "own", "other": "registry",
    }  # fmt: skip
    assert [(fault.severity, fault.source.file) for fault in loaded.faults] == [("warning", str(received))]


TAKEN = {
    "a ClusterIP": ("{clusterIP: 127.96.0.9, ports: [{port: 80}]}", "127.96.0.9 is the address of"),
    "a node port": ("{type: NodePort, ports: [{port: 80, nodePort: 30080}]}", "30080 is a node port of"),
    "a port of a LoadBalancer": ("{type: LoadBalancer, ports: [{port: 8080}]}", "belongs to"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_came_by_the_channel_gives_way_to_what_own_manifests_come_to_say(
    tmp_path: Path, state: Path, case: str
) -> None:
    spec, words = TAKEN[case]
    own, received = tmp_path / "own.yaml", state / RECEIVED
    received.parent.mkdir()
    text = "apiVersion: v1\nkind: Service\nmetadata: {{name: {}, creationTimestamp: {}}}\nspec: {}\n"
    received.write_text(text.format("aa", OLD, spec))
    own.write_text("")
    assert [named.name for named in read([own, received], state).config_set.services] == ["aa"]
    own.write_text(text.format("zz", NEW, spec))
    for _ in range(2):
        after = read([own, received], state)
        assert [named.name for named in after.config_set.services] == ["zz"]
        assert after.kept == ()
        told = [fault for fault in after.faults if fault.severity == "error"]
        assert {fault.object for fault in told} == {ObjectKey("Service", "default", "aa")}
        assert words in told[0].message
        assert f"Service/default/zz ({own}:" in told[0].message
    own.write_text("")
    assert [named.name for named in read([own, received], state).config_set.services] == ["aa"]


SLOW, AAA = Named("default", "slow"), Named("default", "aaa")
PLAIN = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {%s, ports: [{port: 80%s}]}\n---\n"
NEWCOMERS = {
    "a node port": ("type: NodePort", ", nodePort: 30080", "type: NodePort", ", nodePort: 30080"),
    "a node port that was given": ("type: NodePort", "", "type: NodePort", ", nodePort: {port}"),
    "an address": ("clusterIP: 127.96.0.9", "", "clusterIP: 127.96.0.9", ""),
    "an address that was given": ("type: ClusterIP", "", "clusterIP: {address}", ""),
    "an address that was given and is now stated": ("type: ClusterIP", "", "clusterIP: {address}", ""),
    "a port of the node": ("type: LoadBalancer", "", "type: LoadBalancer", ""),
}


def _claims(spec: ServiceSpec) -> tuple[object, ...]:
    return spec.cluster_ip, spec.ports


@pytest.mark.parametrize("unclear", [False, True], ids=["read", "unreadable"])
@pytest.mark.parametrize("name", NEWCOMERS)
def test_who_had_it_keeps_it(name: str, unclear: bool, tmp_path: Path, state: Path) -> None:
    """Also when what is written of it cannot be read any more, and over restarts."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    slow, (kind, port, *newcomer) = folder / "slow.yaml", NEWCOMERS[name]
    slow.write_text(PLAIN % ("slow", kind, port))
    before = read([folder], state).config_set
    spec = before.services[SLOW].spec
    stated = [text.format(address=spec.cluster_ip, port=spec.ports[0].node_port) for text in newcomer]
    if "now stated" in name:
        slow.write_text(PLAIN % ("slow", *stated))
    (folder / "aaa.yaml").write_text(PLAIN % ("aaa", *stated))
    if unclear:
        slow.write_text("{")
    for _ in range(2):
        after = read([folder], state)
        assert set(after.config_set.services) == {SLOW}
        assert _claims(after.config_set.services[SLOW].spec) == _claims(spec)
        refused = [fault for fault in after.faults if fault.object == ObjectKey("Service", *AAA)]
        assert ["Service/default/slow" in fault.message for fault in refused if fault.severity == "error"] == [True]
    (folder / "slow.yaml").unlink()
    assert set(read([folder], state).config_set.services) == {AAA}


def test_what_is_taken_back_by_a_mistake_is_nobody_elses(tmp_path: Path, state: Path) -> None:
    """`api` cannot have what it wants, so it keeps what `aaa` wants, which keeps what `new` wants."""
    file = tmp_path / "all.yaml"
    file.write_text("".join(SERVICE % each for each in (("web", NEW, 30080), ("api", NEW, 30081), ("aaa", NEW, 30082))))
    before = read([file], state).config_set.services
    after = (("web", NEW, 30080), ("api", OLD, 30080), ("aaa", OLD, 30081), ("new", OLD, 30082))
    file.write_text("".join(SERVICE % each for each in after))
    loaded = read([file], state)
    assert loaded.config_set.services == before
    assert sorted(key.name for key in loaded.kept) == ["aaa", "api"]


def test_two_may_exchange_what_they_have(tmp_path: Path, state: Path) -> None:
    file = tmp_path / "both.yaml"
    file.write_text(SERVICE % ("web", OLD, 30080) + SERVICE % ("api", NEW, 30081))
    read([file], state)
    file.write_text(SERVICE % ("web", OLD, 30081) + SERVICE % ("api", NEW, 30080))
    after = read([file], state)
    assert not after.failed
    assert [after.config_set.services[each].spec.ports[0].node_port for each in (WEB, API)] == [30081, 30080]


def test_a_policy_of_a_service_that_a_platform_finds_later_comes_into_force(tmp_path: Path, state: Path) -> None:
    file, found = tmp_path / "swarm.yaml", state / FOUND
    node = "apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: node}\nspec: {platforms: [swarm]}\n---\n"
    spec = "{targetRef: {kind: Service, name: web}, timeouts: {request: 1s}}"
    file.write_text(f"{node}apiVersion: weft.dev/v1\nkind: TrafficPolicy\nmetadata: {{name: p}}\nspec: {spec}\n")
    told = []
    for paths in ([file], [file, found]):
        after = read(paths, state)
        statuses = policy_statuses(after.config_set.policies, after.config_set.services)
        told.append(([fault.severity for fault in after.faults], [status.state for _, status in statuses]))
        found.write_text(SERVICE % ("web", OLD, 30080))
    assert told == [(["warning"], ["pending"]), ([], ["accepted"])]
