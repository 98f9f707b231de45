"""NodeConfig's defaults: they are valid, and they are those that the manual states."""

from __future__ import annotations

from config.configset import ConfigSet
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
