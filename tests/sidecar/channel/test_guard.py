"""What a node takes of what it is sent."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sidecar.channel.guard import NotTaken, taken
from sidecar.channel.messages import Manifest
from tests.sidecar.channel.channels import manifest

RUNS = ("default/web",)
EXEC = {"exec": {"command": ["rm", "-rf", "/"]}}


def _deployment(**container: Any) -> Manifest:
    pod = {"containers": [{"name": "a", "image": "web:1", **container}]}
    return manifest("Deployment", "web", {"spec": {"template": {"spec": pod}}})


def test_what_is_only_served_is_taken_as_it_is() -> None:
    service = manifest("Service", "web")
    assert taken(service, ()) == bytes(service.body)


def test_the_command_of_a_deployment_is_left_out() -> None:
    pod = json.loads(taken(_deployment(command=["sh"], args=["-x"]), RUNS))["spec"]["template"]["spec"]
    assert pod == {"containers": [{"name": "a", "image": "web:1", "args": ["-x"]}]}


REFUSED: dict[str, tuple[Manifest, str]] = {
    "configuration of a node": (manifest("NodeConfig", "n", namespace=""), "own files"),
    "a Deployment that does not run here": (manifest("Deployment", "shop"), "does not run"),
    "a kind of the future": (manifest("Gateway", "g"), "kind"),
    "a probe that executes": (_deployment(livenessProbe=EXEC), "probe or a hook"),
    "a hook that executes": (_deployment(lifecycle={"preStop": EXEC}), "probe or a hook"),
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
