"""Objects in force by what people call them, and as tables and manifests."""

from __future__ import annotations

from typing import Any

import pytest

from config.configset import KINDS
from sidecar.objects import Unknown, chosen, key_of, kind_of, manifest, rows


def item(kind: str, name: str, namespace: str = "default", spec: Any = None, **more: Any) -> dict[str, Any]:
    made = {"metadata": {"name": name}, **({"spec": spec} if spec is not None else {}), **more}
    status = {"state": "accepted", "reasons": [], "ports": []}
    return {
        "kind": kind, "namespace": namespace, "name": name, "source": "a.yaml:1:1", "status": status, "object": made,
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_goes_by_its_name_and_its_plural(kind: str) -> None:
    plural = {"Endpoints": "endpoints", "Ingress": "ingresses", "TrafficPolicy": "TrafficPolicies"}.get(
        kind, f"{kind}s"
    )
    assert kind_of(kind) == kind_of(kind.lower()) == kind_of(plural) == kind


@pytest.mark.parametrize(
    ("word", "kind"), [("svc", "Service"), ("ing", "Ingress"), ("policies", "TrafficPolicy"), ("ALL", "")]
)
def test_short_names(word: str, kind: str) -> None:
    assert kind_of(word) == kind


def test_a_kind_that_is_not_there() -> None:
    with pytest.raises(Unknown, match=r'no kind is called "Servce"; did you mean "Service"\?$'):
        kind_of("Servce")
    with pytest.raises(Unknown, match=r'no kind is called "Job"; there are Service, .*, or all$'):
        kind_of("Job")


ITEMS = [
    item("Service", "b"),
    item("Service", "a", "other"),
    item("Service", "a"),
    item("NodeConfig", "node", ""),
]


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "found"),
    [
        ("Service", "", "", ["Service/default/a", "Service/default/b", "Service/other/a"]),
        ("Service", "other", "", ["Service/other/a"]),
        ("Service", "", "a", ["Service/default/a", "Service/other/a"]),
        ("", "default", "", ["NodeConfig/node", "Service/default/a", "Service/default/b"]),
        ("Secret", "", "", []),
    ],
)
def test_what_is_chosen(kind: str, namespace: str, name: str, found: list[str]) -> None:
    assert [str(key_of(each)) for each in chosen(ITEMS, kind, namespace, name)] == found


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(Unknown, match='Service "bb" not found in namespace default'):
        chosen(ITEMS, "Service", "default", "bb")


ROWS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "Service": (
        item("Service", "a", spec={"type": "NodePort", "clusterIP": "127.96.0.1", "ports": [
            {"name": "http", "port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"},
        ]}),
        ("default", "a", "NodePort", "127.96.0.1", "http:80:30080/TCP 53/UDP", "accepted", "a.yaml:1:1"),
    ),
    "Service without a spec": (
        item("Service", "a"), ("default", "a", "ClusterIP", "-", "-", "accepted", "a.yaml:1:1"),
    ),
    "Deployment": (item("Deployment", "a", spec={"replicas": 3}), ("default", "a", "3", "accepted", "a.yaml:1:1")),
    "Ingress": (
        item("Ingress", "a", spec={"ingressClassName": "weft", "rules": [{"host": "x"}, {"host": "x"}, {}]}),
        ("default", "a", "weft", "x *", "accepted", "a.yaml:1:1"),
    ),
    "TrafficPolicy": (
        item("TrafficPolicy", "a", spec={
            "targetRef": {"kind": "Service", "name": "s", "sectionName": "http"}, "via": False,
        }),
        ("default", "a", "Service/s:http", "via", "accepted", "a.yaml:1:1"),
    ),
    "Secret": (
        item("Secret", "a", data={"k": "(hidden)"}, stringData={"l": "(hidden)"}),
        ("default", "a", "Opaque", "k l", "accepted", "a.yaml:1:1"),
    ),
    "NodeConfig": (item("NodeConfig", "n", ""), ("-", "n", "accepted", "a.yaml:1:1")),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str) -> None:
    one, expected = ROWS[name]
    heading, row = rows([one], one["kind"])
    assert row == expected
    assert len(heading) == len(row)


def test_rows_of_all_kinds_say_which() -> None:
    heading, *others = rows(ITEMS, "")
    assert heading == ("KIND", "NAMESPACE", "NAME", "STATE", "SOURCE")
    assert [row[0] for row in others] == ["Service", "Service", "Service", "NodeConfig"]


def test_a_manifest_says_what_it_is_and_what_became_of_it() -> None:
    made = manifest(item("Service", "a", spec={"type": "ExternalName"}))
    assert made == {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {"type": "ExternalName", "sessionAffinity": "None"}, "status": {"state": "accepted"},
    }  # fmt: skip
    secret = manifest(item("Secret", "a", data={"k": "(hidden)"}))
    assert (secret["data"], "status" in secret) == ({"k": "KGhpZGRlbik="}, False)
