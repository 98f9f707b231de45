"""Nothing that may be a secret is shown."""

from __future__ import annotations

import msgspec
import pytest

from config.meta import LabelSelector, ObjectMeta
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
from sidecar.redaction import shown

META = ObjectMeta(name="a", namespace="default", annotations={"last-applied": "hunter2"})
ENV = (EnvVar(name="PASSWORD", value="hunter2"),)
ASKED = HTTPGetAction(port=80, http_headers=(HTTPHeader("Authorization", "hunter2"),))


def deployment(container: Container) -> Deployment:
    template = PodTemplate(spec=PodSpec(containers=(container,)))
    return Deployment(metadata=META, spec=DeploymentSpec(selector=LabelSelector(), template=template))


SECRETIVE = {
    "secret": Secret(metadata=META, data={"key": "hunter2"}, string_data={"other": "hunter2"}),
    "environment": deployment(Container(name="c", env=ENV)),
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
