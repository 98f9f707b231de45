"""The annotation of ports of 127.0.0.1: written and read."""

from __future__ import annotations

import pytest

from config.local_ports import ANNOTATION, local_ports, with_local_ports
from config.meta import ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec


def service(**annotations: str) -> Service:
    return Service(ObjectMeta("web", "default", annotations=annotations), ServiceSpec(ports=(ServicePort(80),)))


@pytest.mark.parametrize("given", [{}, {"http": 20123}, {"80": 20001, "dns": 29999}])
def test_what_is_written_is_read(given: dict[str, int]) -> None:
    written = with_local_ports(service(other="stays", **{ANNOTATION: "http:1"}), given)
    assert local_ports(written) == given
    assert written.metadata.annotations["other"] == "stays"
    assert written.spec is not None


@pytest.mark.parametrize("text", ["", "http", "http:x", "http:-1", "http:²", ":"])
def test_what_is_none_says_nothing(text: str) -> None:
    assert local_ports(service(**{ANNOTATION: text})) == {}
