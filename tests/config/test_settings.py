"""NodeConfig's defaults: they are valid, and they are those that the manual states."""

from __future__ import annotations

from config.configset import ConfigSet
from config.loader import load_text
from config.meta import Source
from config.settings import NODE_PORTS, NodeConfigSpec
from config.validation import Validation


def test_defaults_are_valid() -> None:
    assert Validation(ConfigSet(), lambda key, path: Source("", 1, 1)).faults() == []


def test_defaults() -> None:
    node = NodeConfigSpec()
    assert (node.service_range.cidr, node.service_range.reach, node.pod_cidr) == (
        "127.96.0.0/16",
        "loopback",
        "127.97.0.0/16",
    )
    assert (node.admin, node.ingress.http, node.ingress.https, node.dns) == (
        "127.0.0.1:9901",
        "127.0.0.1:8080",
        "127.0.0.1:8443",
        "127.0.0.1:1053",
    )
    assert (NODE_PORTS[0], NODE_PORTS[-1]) == (30000, 32767)


def test_a_port_alone_is_told_what_else_is_needed() -> None:
    text = "apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: a}\nspec: {admin: 9901}\n"
    [fault] = load_text(text, "f").faults
    assert (fault.path, "HOST:PORT" in fault.message) == ("spec.admin", True)
