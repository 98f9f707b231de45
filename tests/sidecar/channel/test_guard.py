"""What a node takes of what it is sent."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sidecar.channel.guard import OPTIONAL, NotTaken, Runs, left_out, taken
from sidecar.channel.messages import Manifest
from tests.sidecar.channel.channels import manifest

RUNS = Runs(("default/web",))
EXEC = {"exec": {"command": ["rm", "-rf", "/"]}}


def _deployment(**container: Any) -> Manifest:
    pod = {"containers": [{"name": "a", "image": "web:1", **container}]}
    return manifest("Deployment", "web", {"spec": {"template": {"spec": pod}}})


def test_what_is_only_served_is_taken_as_it_is() -> None:
    service = manifest("Service", "web")
    assert taken(service, Runs()) == bytes(service.body)


STEERING: dict[str, Any] = {
    "args": ["-x"],
    "env": [{"name": "LD_PRELOAD", "value": "/tmp/x.so"}],
    "envFrom": [{"secretRef": {"name": "s"}}],
    "workingDir": "/tmp",
}
WITH: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "nothing": ((), set()),
    "args": (("args",), {"args"}),
    "env": (("env",), {"env", "envFrom"}),
    "all": (tuple(OPTIONAL), set(STEERING)),
}


@pytest.mark.parametrize(("fields", "kept"), WITH.values(), ids=WITH)
def test_what_a_program_can_be_steered_by_is_left_out(fields: tuple[str, ...], kept: set[str]) -> None:
    runs = RUNS._replace(fields=fields)
    sent = _deployment(command=["sh"], **STEERING)
    [container] = json.loads(taken(sent, runs))["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "a", "image": "web:1", **{field: STEERING[field] for field in kept}}
    assert set(left_out(sent, runs)) == {"command", *STEERING} - kept
    assert not left_out(manifest("Service", "web"), runs)


REFUSED: dict[str, tuple[Manifest, str]] = {
    "configuration of a node": (manifest("NodeConfig", "n", namespace=""), "own files"),
    "a Deployment that does not run here": (manifest("Deployment", "shop"), "does not run"),
    "a kind of the future": (manifest("Gateway", "g"), "kind"),
    "a probe that executes": (_deployment(livenessProbe=EXEC), "probe or a hook"),
    "a hook that executes": (_deployment(lifecycle={"preStop": EXEC}), "probe or a hook"),
    "a hook of the start that executes": (_deployment(lifecycle={"postStart": EXEC}), "probe or a hook"),
    "another object in disguise": (
        Manifest("Service", "default", "web", "", msgspec.Raw(_deployment(command=["sh"]).body)),
        "another object",
    ),
    "another name": (Manifest("Service", "default", "a", "", manifest("Service", "b").body), "another object"),
    "no object": (Manifest("Service", "default", "a", "", msgspec.Raw(b"[1]")), "no manifest"),
    "a Deployment of nothing": (manifest("Deployment", "web", {"spec": 1}), "no manifest"),
    "containers that are none": (
        manifest("Deployment", "web", {"spec": {"template": {"spec": {"containers": [1]}}}}),
        "no manifest",
    ),
}


@pytest.mark.parametrize(("refused", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_taken(refused: Manifest, why: str) -> None:
    with pytest.raises(NotTaken, match=why):
        taken(refused, RUNS)
