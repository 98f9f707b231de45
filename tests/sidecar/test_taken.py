"""A taken port ends the start with the line that changes it."""

from __future__ import annotations

import socket

import pytest

from config.configset import ConfigSet
from config.meta import ObjectKey, Source
from sidecar.errors import UserError
from sidecar.options import Address
from sidecar.taken import bind_admin, free_port, refuse_taken
from tests.sidecar.making import WEB_DOOR, taken_port

WRITTEN = ConfigSet(
    sources={
        ObjectKey("NodeConfig", "", "laptop"): Source("node.yaml", 3, 1),
        ObjectKey("Service", "default", "web"): Source("web.yaml", 28, 1),
    }
)


def test_the_admin_address_that_is_free_is_bound() -> None:
    with bind_admin(Address("127.0.0.1", 0), ConfigSet()) as sock:
        assert sock.getsockname()[1] > 0


def test_of_two_that_start_together_the_second_is_refused() -> None:
    with bind_admin(Address("127.0.0.1", 0), ConfigSet()) as first, pytest.raises(UserError, match="already in use"):
        bind_admin(Address("127.0.0.1", first.getsockname()[1]), ConfigSet())


def test_a_taken_admin_address_names_the_line_and_a_free_port() -> None:
    with taken_port() as port:
        with pytest.raises(UserError) as refused:
            bind_admin(Address("127.0.0.1", port), WRITTEN)
        text = str(refused.value)
        assert text.startswith(f"the admin address 127.0.0.1:{port} cannot be used (address already in use): set spec.")
        assert 'set spec.admin: "127.0.0.1:' in text
        assert text.endswith("in the NodeConfig (node.yaml:3:1), or give --admin HOST:PORT")
        other = int(text.split('spec.admin: "127.0.0.1:')[1].split('"', maxsplit=1)[0])
        assert other > port
        socket.create_server(("127.0.0.1", other)).close()


def test_without_a_node_config_one_is_to_be_added() -> None:
    with taken_port() as port, pytest.raises(UserError, match=r"in the NodeConfig \(none is in force: add one"):
        bind_admin(Address("127.0.0.1", port), ConfigSet())


def test_a_host_that_is_not_ours_is_said() -> None:
    with pytest.raises(UserError, match="cannot assign requested address"):
        bind_admin(Address("192.0.2.1", 9901), ConfigSet())


LINES = {
    "ClusterIP": ["spec.serviceRange: {cidr: 127.112.0.0/16} in the NodeConfig (node.yaml:3:1)"],
    "NodePort": [
        "nodePort: ",
        " in the Service (web.yaml:28:1)",
        "spec.nodeAddresses: [",
        "NodeConfig (node.yaml:3:1)",
    ],
    "LoadBalancer": ["port: ", " in the Service (web.yaml:28:1)", "spec.nodeAddresses: ["],
    "ExternalIP": ["other externalIPs in the Service (web.yaml:28:1)"],
    "HealthCheck": ["nodePort: ", " in the Service (web.yaml:28:1)"],
    "Ingress": ['spec.ingress: {http: "127.0.0.1:', "in the NodeConfig (node.yaml:3:1)"],
}


@pytest.mark.parametrize("entry", LINES)
def test_a_taken_listener_names_the_line(entry: str) -> None:
    wanted = "127.0.0.1:30080" if entry != "ClusterIP" else "127.96.0.9:8999"
    door = WEB_DOOR._replace(entry=entry, wanted=wanted, served="", note="it is taken: change something")
    with pytest.raises(UserError) as refused:
        refuse_taken([WEB_DOOR, door], WRITTEN)
    text = str(refused.value)
    assert text.startswith(f"{entry} {wanted} of Service default/web: it is taken: change something; such as ")
    for part in LINES[entry]:
        assert part in text


def test_where_all_addresses_are_taken_another_range_does_not_help() -> None:
    with taken_port("0.0.0.0") as port, pytest.raises(UserError) as refused:
        refuse_taken([WEB_DOOR._replace(wanted=f"127.96.0.9:{port}", served="", note="taken")], WRITTEN)
    assert "serviceRange" not in str(refused.value)
    assert "; such as port: " in str(refused.value)


def test_the_listener_of_all_ingresses_is_of_no_service() -> None:
    door = WEB_DOOR._replace(
        entry="Ingress", wanted="127.0.0.1:8080", served="", note="taken", namespace="", service=""
    )
    with pytest.raises(UserError, match=r"^Ingress 127\.0\.0\.1:8080: taken; such as "):
        refuse_taken([door], WRITTEN)


def test_bound_listeners_are_no_problem() -> None:
    refuse_taken([WEB_DOOR], WRITTEN)


def test_many_problems_are_summed_up() -> None:
    with pytest.raises(UserError) as refused:
        refuse_taken([WEB_DOOR._replace(served="", note="Taken")] * 25, WRITTEN)
    assert str(refused.value).endswith("\nweft: and 15 more")
    assert len(str(refused.value).splitlines()) == 11


def test_free_port_skips_what_is_taken() -> None:
    with taken_port() as port:
        found = free_port("127.0.0.1", [port, port])
        assert found is None
        assert free_port("127.0.0.1", [port, 0]) == 0
