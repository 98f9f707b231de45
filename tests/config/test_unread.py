"""A field that cannot be read is one fault: it hides no other, and causes none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.configset import KINDS
from config.errors import Fault
from config.loader import load_text
from config.meta import Named, ObjectKey
from config.unread import MOST_PATHS, Unread, steps

KEY = ObjectKey("Service", "default", "web")
Path_ = tuple[str | int, ...]


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", ()),
        ("spec", ("spec",)),
        ("spec.ports[0].targetPort", ("spec", "ports", "0", "targetPort")),
        ("data[tls.crt]", ("data", "tls.crt")),
        ("metadata.labels[a.b/c]", ("metadata", "labels", "a.b/c")),
        ("metadata.labels[]", ("metadata", "labels", "")),
        ("spec.ports.*.name", ("spec", "ports", "*", "name")),
    ],
)
def test_steps(path: str, parts: tuple[str, ...]) -> None:
    assert steps(path) == parts


def unread(*paths: str, key: ObjectKey = KEY) -> Unread:
    found = Unread()
    for path in paths:
        found.add(key, path)
    return found


MEETINGS = [
    ("at", "spec.ports", "spec.ports", True, True),
    ("below", "spec.ports", "spec.ports[0].name", True, True),
    ("above", "spec.ports[0].name", "spec.ports", False, True),
    ("beside", "spec.ports", "spec.type", False, False),
    ("a name that begins like it", "spec.port", "spec.ports", False, False),
    ("any index", "spec.ports[1].name", "spec.ports.*.name", False, True),
    ("any index, another field", "spec.ports[1].name", "spec.ports.*.port", False, False),
    ("all of it", "", "spec.type", True, True),
]


@pytest.mark.parametrize(
    ("path", "asked", "covered", "touched"), [r[1:] for r in MEETINGS], ids=[r[0] for r in MEETINGS]
)
def test_what_rests_on_a_field(path: str, asked: str, covered: bool, touched: bool) -> None:
    found = unread(path)
    if "*" not in asked:
        assert found.covers(KEY, asked) is covered
    assert found.touches(KEY, asked) is touched
    assert not found.touches(KEY._replace(name="other"), asked)


def test_an_object_with_very_many_faults_is_unknown() -> None:
    found = unread(*(f"spec.ports[{i}]" for i in range(MOST_PATHS)))
    assert not found.covers(KEY, "spec.type")
    found.add(KEY, "spec.ports[x]")
    assert found.covers(KEY, "spec.type")


def test_who_may_be_among_what_could_not_be_read() -> None:
    wanted = ObjectKey("Secret", "shop", "keys")
    assert not unread("data.a", key=wanted._replace(name="other")).may_be(wanted)
    assert unread("metadata.name", key=wanted._replace(name="5")).may_be(wanted)
    assert not unread("metadata.name", key=wanted._replace(namespace="prod")).may_be(wanted)
    assert unread("metadata.namespace", key=wanted._replace(namespace="5")).may_be(wanted)
    assert not unread("metadata.namespace", key=ObjectKey("Secret", "5", "other")).may_be(wanted)
    assert unread("metadata", key=ObjectKey("Secret", "5", "")).may_be(wanted)
    assert not unread("metadata", key=ObjectKey("Service", "shop", "")).may_be(wanted)
    unknown = Unread()
    unknown.add_object(Named("shop", "keys"))
    assert unknown.may_be(wanted)
    assert not unknown.may_be(wanted._replace(name="other"))
    lost = Unread()
    lost.add_anything()
    assert lost.may_be(wanted)


def test_what_may_have_been_said() -> None:
    labels = "metadata.labels"
    assert unread(labels).may_say("Service", "default", labels)
    assert not unread("spec").may_say("Service", "default", labels)
    assert not unread(labels).may_say("Service", "shop", labels)
    assert unread("metadata.namespace").may_say("Service", "shop", labels)
    assert not unread("metadata.namespace").may_say("Secret", "shop", labels)


BESIDE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.0.0.1
  ports: [{port: many, targetPort: 0, nodePort: 5}, {port: 81, name: Not_A_Name}]
  colour: blue
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front, lables: {a: b}}
spec:
  defaultBackend: {service: {name: web, port: {number: 81}}}
  rules:
  - host: "127.0.0.1"
    http: {paths: [{pathType: Prefix, path: a, backend: {service: {name: no, port: {number: 80}}}}]}
  - {host: 5, http: {paths: [{pathType: Exact, path: /, backend: {service: {name: web, port: {number: 80}}}}]}}
"""


def places_of_errors(text: str) -> list[tuple[str, str]]:
    """Name of the object and path of each error."""
    faults = [fault for fault in load_text(text, "f").faults if fault.severity == "error"]
    return [(fault.object.name if fault.object else "", fault.path) for fault in faults]


def test_the_faults_beside_a_field_that_cannot_be_read_come_in_the_same_run() -> None:
    assert sorted(places_of_errors(BESIDE)) == [
        ("front", "metadata.lables"),
        ("front", "spec.rules[0].host"),
        ("front", "spec.rules[0].http.paths[0].backend.service.name"),
        ("front", "spec.rules[0].http.paths[0].path"),
        ("front", "spec.rules[1].host"),
        ("web", "spec.clusterIP"),
        ("web", "spec.colour"),
        ("web", "spec.ports[0].name"),
        ("web", "spec.ports[0].nodePort"),
        ("web", "spec.ports[0].port"),
        ("web", "spec.ports[1].name"),
    ]


def test_what_is_faulty_is_not_used() -> None:
    loaded = load_text(BESIDE, "f")
    assert not loaded.config_set.sources


POLICY = """\
apiVersion: weft.dev/v1
kind: TrafficPolicy
metadata: {name: policy}
spec: {targetRef: {kind: Service, name: web}}
"""
WEB = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: None}\n"
MISSING = ("policy", "spec.targetRef.name")
OTHERS = [
    ("not there", "", [MISSING]),
    ("there", WEB, []),
    ("faulty", WEB.replace("clusterIP", "clusterip"), [("web", "spec.clusterip")]),
    ("unknown kind", WEB.replace("Service", "Servise"), [("web", "")]),
    ("no kind", WEB.replace("kind: Service\n", ""), [("", "")]),
    ("no YAML", WEB.replace("clusterIP", "}"), [("", "")]),
    ("no name", WEB.replace("name: web", "nmae: web"), [("", "metadata.name"), ("", "metadata.nmae")]),
    ("no namespace", WEB.replace("web", "web, namespace: 5"), [("web", "metadata.namespace")]),
    ("another", WEB.replace("web", "api").replace("None", "[None]"), [MISSING, ("api", "spec.clusterIP")]),
    (
        "another kind",
        WEB.replace("Service", "ConfigMap").replace("web", "5"),
        [MISSING, ("5", "metadata.name"), ("5", "spec")],
    ),
]


@pytest.mark.parametrize(("other", "expected"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_what_was_written_and_could_not_be_read_is_not_missing(other: str, expected: list[tuple[str, str]]) -> None:
    assert sorted(places_of_errors(POLICY + other)) == sorted(expected)


def test_objects_whose_name_is_taken_or_missing_are_looked_at_too() -> None:
    wrong = WEB.replace("clusterIP: None", "clusterIP: nowhere, ports: [{port: 80}]")
    nameless = wrong.replace("name: web", "labels: {a: b}")
    assert places_of_errors(WEB + wrong + nameless + nameless) == [
        ("web", "metadata.name"),
        ("web", "spec.clusterIP"),
        ("", "metadata.name"),
        ("", "spec.clusterIP"),
        ("", "metadata.name"),
        ("", "spec.clusterIP"),
    ]
    assert list(load_text(WEB + wrong, "f").config_set.services) == [Named("default", "web")]


def test_a_second_node_config_is_looked_at_too() -> None:
    node = "---\napiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: NAME}\nspec: {podCIDR: PODS}\n"
    text = node.replace("NAME", "a").replace("PODS", "127.1.0.0/16") + node.replace("NAME", "b").replace("PODS", "c")
    assert places_of_errors(text) == [("b", "metadata.name"), ("b", "spec.podCIDR")]


def test_very_many_unread_objects_take_little_time() -> None:
    secrets = "".join(f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {i}}}\n" for i in range(1000))
    services = "".join(WEB.replace("web", f"s{i}") for i in range(1000))
    started = time.process_time()
    assert len(load_text(secrets + services, "f").faults) >= 1000
    assert time.process_time() - started < 5


EVERYTHING: list[dict[str, Any]] = [
    document for document in yaml.safe_load_all((Path(__file__).parent / "everything.yaml").read_text()) if document
]
Facts = tuple[str, ObjectKey | None, str, str]
"""Severity, object, path, message."""


def places(value: Any, above: Path_ = ()) -> Iterator[Path_]:
    """The paths of all values, in JSON."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in pairs:
        if above or step not in ("apiVersion", "kind"):
            yield (*above, step)
            yield from places(inner, (*above, step))


def facts(documents: list[dict[str, Any]]) -> dict[Facts, Fault]:
    text = "\n---\n".join(json.dumps(document) for document in documents)
    faults = [fault for fault in load_text(text, "f").faults if fault.severity != "notice"]
    return {(fault.severity, fault.object, fault.path, fault.message.replace("f:", "")): fault for fault in faults}


def parent_of(document: dict[str, Any], path: Path_) -> Any:
    for step in path[:-1]:
        document = document[step]  # type: ignore[index]
    return document


def retype(parent: Any, step: str | int) -> None:
    """Put in something of another type."""
    parent[step] = 5 if isinstance(parent[step], dict | list) else [[1]]


def misspell(parent: Any, step: str | int) -> None:
    """Write the name of a field wrongly."""
    parent[str(step).swapcase()] = parent.pop(step)


def test_everything_is_without_fault() -> None:
    assert facts(EVERYTHING) == {}
    assert {document["kind"] for document in EVERYTHING} == set(KINDS)


def spread(paths: list[Path_], count: int, turn: int) -> list[Path_]:
    """At least `count` of the paths, or all, evenly; others in each turn."""
    step = max(1, len(paths) // count)
    return paths[turn % step :: step]


@pytest.mark.parametrize("spoil", [retype, misspell])
@pytest.mark.parametrize(
    "number", range(len(EVERYTHING)), ids=[d["kind"] + "-" + d["metadata"]["name"] for d in EVERYTHING]
)
def test_a_field_that_cannot_be_read_is_the_only_fault(
    number: int, spoil: Callable[[Any, str | int], None], size: Callable[[int, int], int]
) -> None:
    everywhere = [path for path in places(EVERYTHING[number]) if spoil is retype or is_field(path)]
    for path in spread(everywhere, size(1, 1000), number):
        documents = list(EVERYTHING)
        documents[number] = deepcopy(EVERYTHING[number])
        spoil(parent_of(documents[number], path), path[-1])
        found = facts(documents).items()
        others = [(fact, path) for fact, at in found if not is_at(at, path)]
        assert others == []


MAPS = {"labels", "annotations", "selector", "matchLabels", "data", "stringData", "binaryData", "requests", "limits"}


def is_field(path: Path_) -> bool:
    """Whether the path ends in the name of a field, and not in an index or in a key that a user chose."""
    return isinstance(path[-1], str) and (len(path) < 2 or path[-2] not in MAPS)


def is_at(fault: Fault, path: Path_) -> bool:
    wanted = tuple(str(step).lower() for step in path)
    return tuple(step.lower() for step in steps(fault.path))[: len(wanted)] == wanted
