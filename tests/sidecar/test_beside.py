"""What the command line says of the application beside a sidecar."""

from __future__ import annotations

import pytest

from config.meta import Named
from config.resources.workloads import HTTPGetAction, Probe, TCPSocketAction
from sidecar.beside import Beside, parse_port, parse_probe, parse_service


def test_services() -> None:
    assert parse_service("shop/cart") == Named("shop", "cart")
    assert parse_service("cart") == Named("default", "cart")


@pytest.mark.parametrize("text", ["", "/", "shop/", "a/b/c", "Shop/cart", "shop cart"])
def test_what_is_no_service(text: str) -> None:
    with pytest.raises(ValueError, match="NAMESPACE/NAME"):
        parse_service(text)


def test_ports() -> None:
    assert parse_port("http=8080") == ("http", 8080)
    assert parse_port("80=65535") == ("80", 65535)
    assert Beside(Named("a", "b"), (("http", 80), ("grpc", 90), ("web", 80))).numbers == (80, 90)


@pytest.mark.parametrize("text", ["", "http", "http=", "=80", "http=0", "http=65536", "http=x", "http=8080 ", "http=٨"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=TARGETPORT"):
        parse_port(text)


def test_probes() -> None:
    assert parse_probe("tcp", 80) == Probe(tcp_socket=TCPSocketAction(80), period_seconds=1)
    assert parse_probe("http:/healthz", 80) == Probe(http_get=HTTPGetAction(80, "/healthz"), period_seconds=1)


@pytest.mark.parametrize("text", ["", "http", "http:", "http:healthz", "grpc", "tcp:80"])
def test_what_is_no_probe(text: str) -> None:
    with pytest.raises(ValueError, match="http:PATH"):
        parse_probe(text, 80)
