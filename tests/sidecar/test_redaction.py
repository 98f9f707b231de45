"""Nothing that may be a secret is shown."""

from __future__ import annotations

import msgspec
import pytest

from config.filters import HeaderEdits, HeaderPolicy
from config.meta import LabelSelector, ObjectMeta
from config.policies import TargetRef, TrafficPolicy, TrafficPolicySpec
from config.resources.core import Secret, Service
from config.resources.workloads import (
    Container,
    Deployment,
    DeploymentSpec,
    EnvVar,
    HTTPGetAction,
    HTTPHeader,
    PodSpec,
    PodTemplate,
    Probe,
)
from sidecar.redaction import fingerprinted, hidden_line, shown

META_OF_POLICY = ObjectMeta(name="a", namespace="default")
META = ObjectMeta(name="a", namespace="default", annotations={"last-applied": "hunter2"})
ENV = (EnvVar(name="PASSWORD", value="hunter2"),)
ASKED = HTTPGetAction(port=80, http_headers=(HTTPHeader("Authorization", "hunter2"),))


def deployment(container: Container) -> Deployment:
    template = PodTemplate(spec=PodSpec(containers=(container,)))
    return Deployment(metadata=META, spec=DeploymentSpec(selector=LabelSelector(), template=template))


SECRETIVE = {
    "secret": Secret(metadata=META, data={"key": "hunter2"}, string_data={"other": "hunter2"}),
    "environment": deployment(Container(name="c", env=ENV)),
    "lines that a policy writes": TrafficPolicy(
        metadata=META_OF_POLICY,
        spec=TrafficPolicySpec(
            TargetRef("Service", "a"),
            headers=HeaderPolicy(
                HeaderEdits(set={"Authorization": "hunter2"}), HeaderEdits(add={"Set-Cookie": "hunter2"})
            ),
        ),
    ),
    "headers": deployment(Container(name="c", liveness_probe=Probe(http_get=ASKED))),
}


@pytest.mark.parametrize("name", SECRETIVE)
def test_values_are_hidden(name: str) -> None:
    text = msgspec.json.encode(shown(SECRETIVE[name])).decode()
    assert "hunter2" not in text
    assert "(hidden)" in text
    assert any(name in text for name in ("PASSWORD", '"key"', "Authorization"))


def test_the_rest_is_shown_as_it_was_written() -> None:
    assert shown(Service(metadata=META))["metadata"]["annotations"] == {"last-applied": "hunter2"}


def test_two_values_can_be_told_apart_by_their_fingerprints() -> None:
    def told(value: str, key: bytes = b"key") -> str:
        return shown(Secret(metadata=META, string_data={"a": value}), fingerprinted(key))["stringData"]["a"]

    assert told("hunter2") == told("hunter2") != told("hunter3")
    assert told("hunter2") != told("hunter2", b"another key")
    assert told("hunter2").startswith("(hidden ")


def test_other_lines_of_a_policy_are_shown() -> None:
    spec = TrafficPolicySpec(TargetRef("Service", "a"), headers=HeaderPolicy(HeaderEdits(set={"X-A": "b"})))
    edits = shown(TrafficPolicy(metadata=META_OF_POLICY, spec=spec))["spec"]["headers"]["request"]
    assert edits == {"set": {"X-A": "b"}}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("X-A: b", "X-A: b"),
        ("authorization: Bearer x", "authorization: (hidden)"),
        ("X-Api-Key:x", "X-Api-Key: (hidden)"),
        ("GET /token HTTP/1.1", "GET /token HTTP/1.1"),
    ],
)
def test_lines(line: str, expected: str) -> None:
    assert hidden_line(line) == expected
