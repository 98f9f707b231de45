"""From files to a ConfigSet: what comes through, what is left out, and that nothing raises."""

from __future__ import annotations

import gc
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.errors import Fault
from config.loader import load, load_text
from config.meta import Named, ObjectKey, Source
from config.resources.core import GIVEN
from tests.config.reading import lines, read

EXPORTED = sorted(path for path in (Path(__file__).parent / "exported").iterdir())


@pytest.mark.parametrize("path", EXPORTED, ids=lambda path: path.name)
def test_what_kubectl_prints_of_objects_is_taken_without_a_word(path: Path) -> None:
    loaded = load([path])
    assert lines(loaded, "error", "notice") == []
    assert loaded.config_set.sources


NOTED = {
    "Deployment/shop/web": {
        "env[2].valueFrom.resourceFieldRef", "resizePolicy", "securityContext", "volumeMounts",
        "initContainers", "spec.securityContext", "serviceAccount", "serviceAccountName", "tolerations",
        "topologySpreadConstraints", "volumes",
    },
    "IngressClass/nginx": {"spec.parameters.scope"},
    **{
        f"{kind}/shop/{name}": {""}
        for kind, name in (
            ("Pod", "web-6d5f"), ("ReplicaSet", "web-6d5f"), ("StatefulSet", "db"), ("CronJob", "db"),
            ("PersistentVolumeClaim", "db"), ("ServiceAccount", "web"), ("Role", "web"), ("NetworkPolicy", "web"),
            ("PodDisruptionBudget", "web"), ("HTTPRoute", "web"), ("Certificate", "web-tls"), ("Event", "web.1"),
        )
    },
}  # fmt: skip
"""What is said to be unused: fields that would change how things behave, and other kinds once each."""


def test_a_whole_cluster_as_kubectl_prints_it() -> None:
    loaded = load([Path(__file__).with_name("cluster.yaml")])
    assert lines(loaded, "error") == []
    said: dict[str, set[str]] = {}
    for fault in loaded.faults:
        if fault.severity == "notice":
            said.setdefault(str(fault.object), set()).add(fault.path)
    assert said.keys() == NOTED.keys()
    for key, paths in NOTED.items():
        assert len(said[key]) == len(paths)
        assert all(any(full.endswith(path) for full in said[key]) for path in paths)


def test_what_is_not_there_is_a_fault_and_the_rest_is_read(tmp_path: Path) -> None:
    loaded = load([tmp_path / "missing", EXPORTED[1]])
    assert [(fault.source.file, fault.message) for fault in loaded.faults if "no such" in fault.message] == [
        (str(tmp_path / "missing"), "no such file or folder")
    ]
    assert loaded.config_set.sources


HEADLESS = """\
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {clusterIP: None}
"""


def headless(*names: str) -> str:
    return "---\n".join(HEADLESS.replace("NAME", name) for name in names)


def test_a_bad_object_disables_only_itself() -> None:
    typo = headless("b").replace("None}", "None, typo: 1}")
    text = f"{headless('a')}---\n{typo}---\na: [\n---\n{headless('c')}"
    loaded = read(text)
    assert [key.name for key in loaded.config_set.services] == ["a", "c"]
    assert [line.partition(":")[0] for line in lines(loaded)] == ["9", "12"]


def test_an_object_that_is_invalid_is_left_out() -> None:
    loaded = read(headless("a", "Not_A_Name"))
    assert [key.name for key in loaded.config_set.services] == ["a"]
    assert [fault.source.line for fault in loaded.faults if fault.severity == "error"] == [8]
    assert list(loaded.config_set.sources) == [ObjectKey("Service", "default", "a")]


def test_sources_say_where_objects_begin() -> None:
    loaded = read("# a comment\n" + headless("a", "b"))
    assert [source.line for source in loaded.config_set.sources.values()] == [2, 7]


def test_the_first_of_two_of_the_same_name_stays() -> None:
    text = headless("a") + "---\n" + headless("a").replace("None", "None, sessionAffinity: ClientIP")
    loaded = read(text)
    (service,) = loaded.config_set.services.values()
    assert service.spec.session_affinity == "None"
    assert lines(loaded) == [
        "8:18 metadata.name: duplicate object; Service/default/a is also written at file.yaml:1:1, and that one stays"
    ]


BENEATH: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "the same": ({}, {}, 0),
    "with the address that a registry gave it": ({"annotations": {GIVEN: "127.96.0.7"}}, {}, 0),
    "with another annotation": ({"annotations": {GIVEN: "127.96.0.7", "a": "b"}}, {}, 1),
    "with another port": ({}, {"ports": [{"port": 81}]}, 1),
}


@pytest.mark.parametrize("name", BENEATH)
def test_of_the_same_object_elsewhere_it_is_said_what_differs(tmp_path: Path, name: str) -> None:
    metadata, spec, warnings = BENEATH[name]
    own: dict[str, Any] = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    other = {"metadata": own["metadata"] | {"namespace": "default"} | metadata, "spec": own["spec"] | spec}
    files = [tmp_path / "own.yaml", tmp_path / "received.json"]
    for path, item in zip(files, (own, other), strict=True):
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Service", **item}))
    loaded = load(files, {str(files[1])})
    assert [fault.severity for fault in loaded.faults if "duplicate" in fault.message] == ["warning"] * warnings
    assert loaded.config_set.services[Named("default", "a")].spec.ports[0].port == 80
    assert [fault.severity for fault in load(files).faults if "duplicate" in fault.message] == ["error"]


def test_the_same_name_elsewhere_is_no_duplicate() -> None:
    text = headless("a") + "---\n" + headless("a").replace("name: a", "name: a, namespace: shop")
    assert list(read(text).config_set.services) == [Named("default", "a"), Named("shop", "a")]


def test_a_node_has_one_node_config() -> None:
    node = "apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: NAME}\nspec: {clusterDomain: NAME.local}\n"
    loaded = read(node.replace("NAME", "a") + "---\n" + node.replace("NAME", "b"))
    assert loaded.config_set.node.cluster_domain == "a.local"
    (line,) = lines(loaded)
    assert "8:18 metadata.name: a node has one NodeConfig; NodeConfig/a is also written at file.yaml:1:1" in line


NAMESPACE = "{apiVersion: v1, kind: Namespace, metadata: {name: NAME}}"
LISTS = [
    ("List", f"kind: List\napiVersion: v1\nitems: [{NAMESPACE}]", 1),
    ("typed", "kind: NamespaceList\napiVersion: v1\nitems: [{metadata: {name: a}}, {metadata: {name: b}}]", 2),
    ("list in a list", f"kind: List\napiVersion: v1\nitems: [{{kind: List, apiVersion: v1, items: [{NAMESPACE}]}}]", 1),
    ("empty", "kind: List\napiVersion: v1\nitems: []", 0),
    ("nothing", "kind: List\napiVersion: v1\nitems:", 0),
    ("other kinds", "kind: PodList\napiVersion: v1\nitems: [{metadata: {name: a}}]", 0),
]


@pytest.mark.parametrize(("text", "count"), [row[1:] for row in LISTS], ids=[row[0] for row in LISTS])
def test_lists_are_their_items(text: str, count: int) -> None:
    loaded = read(text.replace("NAME", "a"))
    assert lines(loaded) == []
    assert len(loaded.config_set.namespaces) == count


def test_a_list_does_not_say_what_its_items_are() -> None:
    assert lines(read("kind: List\napiVersion: v1\nitems: [{metadata: {name: a}}]")) == [
        "3:9 : apiVersion is missing: not an object of Kubernetes",
        "3:9 : kind is missing: not an object of Kubernetes",
    ]


HEADERS = [
    ("a list", "[1]", "expected an object of Kubernetes (a mapping), got a list"),
    ("text", "hello", 'expected an object of Kubernetes (a mapping), got the text "hello"'),
    ("no kind", "apiVersion: v1", "kind is missing"),
    ("null kind", "{apiVersion: v1, kind: null}", "kind is missing"),
    (
        "two, and nothing between",
        "apiVersion: v1\nkind: Service\napiVersion: v1",
        "line 1; a '---' line goes between two objects",
    ),
    ("kind is a list", "{apiVersion: v1, kind: [a]}", "kind is missing"),
    ("misspelt kind", "{apiVersion: v1, kind: Servise}", 'did you mean "Service"?'),
    ("old version", "{apiVersion: extensions/v1beta1, kind: Ingress}", "write apiVersion: networking.k8s.io/v1"),
    ("no metadata", "{apiVersion: v1, kind: Service}", "metadata: required field is missing"),
    ("no name", "{apiVersion: v1, kind: Service, metadata: {}}", "metadata.name: required field is missing"),
    ("name of another type", "{apiVersion: v1, kind: Service, metadata: {name: 1}}", "metadata.name: expected text"),
    ("metadata of another type", "{apiVersion: v1, kind: Service, metadata: []}", "metadata: expected a mapping"),
]


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_what_is_no_object(text: str, message: str) -> None:
    assert any(message in line for line in lines(read(text)))


def test_kinds_that_are_not_used_are_noticed_once_each() -> None:
    text = "\n---\n".join(f"{{apiVersion: v1, kind: {kind}, metadata: {{name: a}}}}" for kind in ("Pod", "Node", "Pod"))
    assert lines(read(text), "error", "notice") == [
        "1:24 : the kind Pod of Kubernetes is not used by Weft",
        "3:24 : the kind Node of Kubernetes is not used by Weft",
    ]


def test_long_names_are_not_mixed_up() -> None:
    names = ["a" * 100 + "b", "a" * 100 + "c"]
    found = {fault.object for fault in read(headless(*names)).faults}
    assert {key.name for key in found if key} == set(names)


def test_faults_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml"):
        (tmp_path / name).write_text(headless("Not_A_Name").replace("None", "None, typo: 1"))
    faults = load([tmp_path]).faults
    places = [(Path(fault.source.file).name, fault.source.line) for fault in faults]
    assert places == sorted(places)
    assert {name for name, _ in places} == {"a.yaml", "b.yaml"}


def test_the_collector_is_left_as_it_was() -> None:
    for enabled in (False, True):
        gc.enable() if enabled else gc.disable()
        read(headless("a"))
        assert gc.isenabled() is enabled


def test_a_file_of_nothing_but_faults_ends_soon() -> None:
    text = "".join(f"---\nkind: K{i}\napiVersion: v1\nmetadata: {{nmae{i}: 1}}\n" for i in range(11_000))
    started = time.process_time()
    loaded = load_text(text, "f")
    assert time.process_time() - started < 10
    assert len(loaded.faults) == 10_001
    assert loaded.faults[-1].message == "1000 more findings are not listed"


@given(st.binary(max_size=300))
@example(b"\xff\xfe\x00")
@example(b"\0" * 100)
@example(b"kind: List\napiVersion: v1\nitems: &a [*a]\n")
@example(b"? {a: b}\n: c\nkind: Service\napiVersion: v1\n")
@example(b"<<: {kind: Service}\napiVersion: v1\n")
def test_no_bytes_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    assert all(isinstance(fault.source, Source) for fault in load([path]).faults)


def test_a_large_folder_loads_within_bounds(tmp_path: Path) -> None:
    services = "".join(f"---\n{HEADLESS.replace('NAME', f's{i}')}" for i in range(500))
    slices = "".join(
        f"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\nmetadata:\n  name: e{i}\n"
        f"  labels: {{kubernetes.io/service-name: s{i}}}\nports:\n- port: 80\nendpoints:\n"
        + "".join(f"- addresses: [10.0.{i % 250}.{j}]\n  conditions: {{ready: true}}\n" for j in range(10))
        for i in range(500)
    )
    (tmp_path / "a.yaml").write_text(services)
    (tmp_path / "b.yaml").write_text(slices)
    started = time.process_time()
    loaded = load([tmp_path])
    assert time.process_time() - started < 5
    assert len(loaded.config_set.services) == len(loaded.config_set.endpoint_slices) == 500
    assert lines(loaded) == []


def test_which_platforms_there_are_is_said_by_who_reads(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    spec = "spec: {platforms: [process,\n  dokcer]}\n"
    path.write_text(f"apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {{name: a}}\n{spec}")
    assert load([path]).faults == load([path], platforms={"dokcer": False, "process": False}).faults == ()
    (fault,) = load([path], platforms={"docker": False, "process": False}).faults
    assert str(fault.source) == f"{path}:5:3"
    assert fault.message == '"dokcer" is not one of docker, process; did you mean "docker"?'


def test_what_floors_above_find_has_the_place_of_its_field(tmp_path: Path) -> None:
    path = tmp_path / "service.yaml"
    path.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports: [{port: 80}]\n")
    web, elsewhere = ObjectKey("Service", "default", "web"), Source("other.yaml", 7, 8)
    found = [Fault("error", elsewhere, "lost", each, "spec.ports") for each in (web, web._replace(name="api"), None)]
    errors = [fault for fault in load([path], beyond=lambda _: found).faults if fault.severity == "error"]
    assert [str(fault.source) for fault in errors] == [f"{path}:5:10", "other.yaml:7:8", "other.yaml:7:8"]
