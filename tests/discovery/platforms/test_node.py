from __future__ import annotations

import socket
from pathlib import Path

from config.resources.core import ServicePort
from config.settings import NodeConfigSpec
from tests.discovery.platforms.local import config, make_node, service


def test_adopts_what_the_config_says_of_this_machine(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    node.adopt(config(service(ServicePort(port=12345))))
    assert node.name == socket.gethostname()
    assert 12345 in node.reserved
    assert node.addresses.take() == "127.97.0.1"
    wanted = config(node=NodeConfigSpec(node_name="laptop", pod_cidr="127.98.0.0/24"))
    node.adopt(wanted)
    assert (node.name, node.config, node.addresses.take()) == ("laptop", wanted, "127.98.0.1")
    assert 12345 not in node.reserved


def test_variables_of_a_namespace_follow_the_config(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    node.adopt(config(service(ServicePort(port=80))))
    assert node.variables("default")["SHOP_SVC_SERVICE_HOST"] == "127.96.0.9"
    assert node.variables("default")["HOME"] == "/nowhere"
    assert "SHOP_SVC_SERVICE_HOST" not in node.variables("other")
    node.adopt(config())
    assert "SHOP_SVC_SERVICE_HOST" not in node.variables("default")


def test_a_reload_does_not_start_the_addresses_over(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    for expected in ("127.97.0.1", "127.97.0.2"):
        node.adopt(config())
        assert node.addresses.take() == expected


def test_variables_name_the_ports_that_are_served(tmp_path: Path) -> None:
    node = make_node(tmp_path, served_at=lambda address, port: port + 8000)
    node.adopt(config(service(ServicePort(port=80))))
    assert node.variables("default")["SHOP_SVC_SERVICE_PORT"] == "8080"
