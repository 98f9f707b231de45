"""Defaults written out: as Kubernetes shows them, and meaning the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.configset import API_VERSIONS
from config.loader import load, load_text
from sidecar.filled import filled
from sidecar.redaction import shown

ROOT = Path(__file__).parents[2]
PORT = {"port": 80}
SHOWN_PORT = PORT | {"protocol": "TCP"}
AFFINE: dict[str, Any] = {"sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}

FILLED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a Service": ("Service", {"ports": [PORT]}, {"type": "ClusterIP", "ports": [SHOWN_PORT], **AFFINE}),
    "what is said stays": (
        "Service",
        {"sessionAffinity": "ClientIP", "ports": [{"port": 53, "protocol": "UDP"}]},
        {
            "type": "ClusterIP", "ports": [{"port": 53, "protocol": "UDP"}], **AFFINE, "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
        },
    ),
    "one that is dialled from outside": (
        "Service", {"type": "NodePort"}, {"type": "NodePort", **AFFINE, "externalTrafficPolicy": "Cluster"},
    ),
    "one of another name": (
        "Service",
        {"type": "ExternalName", "externalName": "a.example"},
        {"type": "ExternalName", "externalName": "a.example", "sessionAffinity": "None"},
    ),
    "a strategy of its own": (
        "Deployment",
        {"strategy": {"type": "Recreate"}},
        {"replicas": 1, "strategy": {"type": "Recreate"}, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10},
    ),
    "one of weft's kinds": ("TrafficPolicy", {"via": False}, {"via": False}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILLED)
def test_defaults(name: str) -> None:
    kind, spec, expected = FILLED[name]
    assert filled(kind, {"metadata": {"name": "a"}, "spec": spec}) == {"metadata": {"name": "a"}, "spec": expected}


def test_with_its_defaults_an_object_is_the_same_object() -> None:
    written = load([ROOT / "tests/config/everything.yaml", ROOT / "tests/config/exported"]).config_set
    objects = [
        {"apiVersion": API_VERSIONS[key.kind], "kind": key.kind, **filled(key.kind, shown(written.get(key), str))}
        for key in written.sources
    ]
    again = load_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), "again")
    assert [str(fault) for fault in again.faults if fault.severity == "error"] == []
    assert len(again.config_set.sources) == len(written.sources) > 10
    for key in written.sources:
        assert shown(again.config_set.get(key), str) == shown(written.get(key), str)
