"""What a port speaks, from what was declared about it."""

from __future__ import annotations

import pytest

from config.resources.core import ServicePort
from mesh.protocols import app_protocol


@pytest.mark.parametrize(
    ("name", "app", "expected"),
    [
        ("", "", "detect"),
        ("web", "", "detect"),
        ("http", "", "http"),
        ("http-web", "", "http"),
        ("httpbin", "", "detect"),
        ("http2", "", "tcp"),
        ("http2-web", "", "tcp"),
        ("https", "", "tcp"),
        ("grpc-web", "", "tcp"),
        ("tcp-x", "", "tcp"),
        ("mysql", "", "tcp"),
        ("redis-main", "", "tcp"),
        ("http", "tcp", "tcp"),
        ("tcp", "http", "http"),
        ("", "HTTP", "http"),
        ("", "kubernetes.io/ws", "http"),
        ("", "kubernetes.io/wss", "tcp"),
        ("", "kubernetes.io/h2c", "tcp"),
        ("", "https", "tcp"),
        ("http", "example.com/my-protocol", "tcp"),
    ],
)
def test_by_declaration(name: str, app: str, expected: str) -> None:
    assert app_protocol(ServicePort(80, name=name, app_protocol=app)) == expected


def test_a_policy_wins() -> None:
    port = ServicePort(80, name="http", app_protocol="http")
    assert app_protocol(port, "tcp") == "tcp"
    assert app_protocol(ServicePort(80), "http") == "http"
