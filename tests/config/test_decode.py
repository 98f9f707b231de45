"""Objects from nodes: every field is used, known or unknown; every fault is found; nothing raises."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from config.configset import API_VERSIONS, KINDS
from config.loader import load_text
from config.vocabulary import vocabulary
from tests.config.reading import lines, read

BROKEN = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, lables: {a: b}}
spec:
  replicas: -1
  template:
    spec:
      initContainers: [{nme: x}]
      volumes: {}
      containers:
      - image: 5
        ports: [{containerPort: 0}]
        readinessProbe: {httpGet: {path: /}}
"""


def test_all_faults_of_an_object_come_together() -> None:
    assert lines(read(BROKEN)) == [
        '3:23 metadata.lables: unknown field "lables"; did you mean "labels"?',
        "5:3 spec.selector: required field is missing",
        "5:13 spec.replicas: -1 is out of range: must be at least 0",
        '8:25 spec.template.spec.initContainers[0].nme: unknown field "nme"; did you mean "name"?',
        "9:16 spec.template.spec.volumes: expected a list, got a mapping",
        "11:9 spec.template.spec.containers[0].name: required field is missing",
        '11:16 spec.template.spec.containers[0].image: expected text, got the number 5; quote it: "5"',
        "12:33 spec.template.spec.containers[0].ports[0].containerPort: 0 is out of range: must be between 1 and 65535",
        "13:35 spec.template.spec.containers[0].readinessProbe.httpGet.port: required field is missing",
    ]


UNKNOWN = [
    ("letters' case", "targetport", "targetPort"),
    ("a letter less", "tagetPort", "targetPort"),
    ("a known field", "nodeport", "nodePort"),
    ("nothing near", "colour", None),
    ("too long to compare", "x" * 1000, None),
]


@pytest.mark.parametrize(("field", "near"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
def test_unknown_fields(field: str, near: str | None) -> None:
    text = f"""
        apiVersion: v1
        kind: Service
        metadata: {{name: web}}
        spec:
          ports:
          - port: 80
            "{field}": 1
        """
    (found,) = lines(read(text))
    assert "unknown field" in found
    assert (f'did you mean "{near}"?' in found) if near else ("did you mean" not in found)


def test_tolerant_reading_passes_over_what_is_newer() -> None:
    text = """
        apiVersion: v1
        kind: Service
        metadata: {name: web, newField: 1}
        spec: {newField: 1, clusterIP: None, selector: {a: b}}
        """
    loaded = read(text, strict=False)
    assert lines(loaded, "error", "notice") == []
    assert [service.spec.selector for service in loaded.config_set.services.values()] == [{"a": "b"}]


def test_tolerant_reading_refuses_new_words_for_that_object_only() -> None:
    text = """
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: Newer}}
        - {apiVersion: v1, kind: Service, metadata: {name: b}, spec: {clusterIP: None}}
        """
    loaded = read(text, strict=False)
    assert [key.name for key in loaded.config_set.services] == ["b"]
    assert len(lines(loaded)) == 1


NOTICES = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostNetwork: true
      hostPID: false
      nodeSelector: {}
      containers:
      - {name: a, image: a, tty: true, lifecycle: {stopSignal: SIGINT}}
      - {name: b, image: b, tty: true}
"""


def test_what_is_not_used_is_noticed_once_for_each_kind_and_field() -> None:
    loaded = read(NOTICES + "---\n" + NOTICES.replace("name: web", "name: other"))
    assert lines(loaded, "error", "notice") == [
        "9:7 spec.template.spec.hostNetwork: not used by Weft: a replica keeps an address of its own",
        "13:29 spec.template.spec.containers[0].tty: not used by Weft: there is no terminal",
        "13:52 spec.template.spec.containers[0].lifecycle.stopSignal: not used by Weft: "
        "the stop signal is SIGTERM, or the image's",
    ]
    assert len(loaded.config_set.deployments) == 2


def test_own_kinds_are_strict() -> None:
    text = """
        apiVersion: weft.dev/v1
        kind: NodeConfig
        metadata: {name: laptop}
        spec: {clusterdomain: a}
        status: {}
        """
    assert lines(read(text)) == [
        '5:8 spec.clusterdomain: unknown field "clusterdomain"; did you mean "clusterDomain"?',
        '6:1 status: unknown field "status"',
    ]


def structs_in(kind: inspect.Type) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, inspect.StructType):
        yield kind.cls
    for inner in (*getattr(kind, "types", ()), *(getattr(kind, name, None) for name in ("item_type", "value_type"))):
        if inner is not None:
            yield from structs_in(inner)


def fields_of(struct: type[msgspec.Struct], type_name: str) -> Iterator[tuple[str, str]]:
    """Vocabulary type and field for every field of a struct type and of what is in it."""
    for field in msgspec.structs.fields(struct):
        yield type_name, field.encode_name
        nested = vocabulary().types.get(type_name, {}).get(field.encode_name, "?").lstrip("[]{}")
        for inner in structs_in(inspect.type_info(field.type)):
            yield from fields_of(inner, nested)


@pytest.mark.parametrize("kind", sorted(vocabulary().roots))
def test_every_field_of_ours_is_a_field_of_kubernetes(kind: str) -> None:
    types = vocabulary().types
    pairs = set(fields_of(KINDS[kind], vocabulary().roots[kind]))
    assert len(pairs) > 2
    assert [pair for pair in sorted(pairs) if pair[1] not in types.get(pair[0], {})] == []


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 70000),
    st.floats(),
    st.sampled_from(["", "a", "80", "TCP", "1s", "ClusterIP"]),
)
FIELD_NAMES = sorted({field for fields in vocabulary().types.values() for field in fields} | {"x", "<<", "a.b/c"})
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELD_NAMES), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.sampled_from(sorted(API_VERSIONS)), TREES, TREES, st.booleans())
def test_no_tree_raises(kind: str, spec: object, rest: object, strict: bool) -> None:
    body = {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    if isinstance(rest, dict):
        body |= rest
    loaded = load_text(json.dumps(body), "f", strict)
    assert all(fault.source.line == 1 for fault in loaded.faults)


@st.composite
def shaped(draw: st.DrawFn, type_name: str, depth: int = 0) -> object:
    """A value of roughly the right shape, with something wrong here and there."""
    if type_name.startswith("[]"):
        return [draw(shaped(type_name[2:], depth + 1)) for _ in range(draw(st.integers(0, 2)))]
    if type_name.startswith("{}"):
        return {"k": draw(shaped(type_name[2:], depth + 1))}
    if type_name not in vocabulary().types or depth > 8:
        return draw(SCALARS)
    fields = vocabulary().types[type_name]
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True))
    return {name: draw(shaped(fields[name], depth + 1)) for name in chosen}


@given(st.data())
def test_no_object_of_the_right_shape_raises(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(vocabulary().roots)))
    body = data.draw(shaped(vocabulary().roots[kind]))
    assert isinstance(body, dict)
    body |= {"apiVersion": API_VERSIONS[kind], "kind": kind}
    load_text(json.dumps(body), "f")
