from __future__ import annotations

import socket
from pathlib import Path
from random import Random

import pytest

from config.meta import ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from config.settings import NODE_PORTS
from discovery.platforms.ports import (
    FIRST,
    LAST,
    AddressPool,
    Exhausted,
    PortPool,
    ephemeral_ports,
    is_free,
    is_local,
    reserved,
)
from tests.discovery.platforms.local import config


def test_addresses_in_order() -> None:
    pool = AddressPool("127.97.0.0/16")
    assert [pool.take() for _ in range(3)] == ["127.97.0.1", "127.97.0.2", "127.97.0.3"]


def test_an_address_that_came_back_waits_its_turn() -> None:
    pool = AddressPool("127.97.0.0/29")
    taken = [pool.take() for _ in range(5)]
    pool.release(taken[1])
    assert pool.take() == "127.97.0.6"
    assert pool.take() == taken[1]
    with pytest.raises(Exhausted, match=r"all addresses of podCIDR 127\.97\.0\.0/29 are taken"):
        pool.take()


def test_a_network_of_one() -> None:
    pool = AddressPool("127.97.0.4/32")
    assert pool.take() == "127.97.0.4"
    with pytest.raises(Exhausted):
        pool.take()


def test_a_network_that_is_not_ours() -> None:
    with pytest.raises(Exhausted, match=r"192\.0\.2\.1 of podCIDR 192\.0\.2\.0/24 is no address of this machine"):
        AddressPool("192.0.2.0/24").take()
    assert is_local("127.0.0.1")


def test_ports_are_unique_free_and_outside_of_what_others_use() -> None:
    pool = PortPool(Random(1))
    avoid = frozenset(range(FIRST, FIRST + 10_000))
    ports = [pool.take(avoid) for _ in range(100)]
    assert len(set(ports)) == 100
    for port in ports:
        assert FIRST <= port <= LAST
        assert port not in avoid
        assert port not in NODE_PORTS
        assert port not in ephemeral_ports()
        assert is_free(port)


def test_a_released_port_can_be_given_again() -> None:
    random = Random(1)
    pool = PortPool(random)
    port = pool.take()
    everything_else = frozenset(range(FIRST, LAST + 1)) - {port}
    random.seed(1)
    with pytest.raises(Exhausted, match="no free port"):
        pool.take(everything_else)
    pool.release(port)
    random.seed(1)
    assert pool.take(everything_else) == port


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_used_on_any_address_is_not_free(kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.97.200.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        assert not is_free(other.getsockname()[1])


EPHEMERAL = {
    "as usual": ("32768\t60999\n", range(32768, 61000)),
    "moved up": ("40000 50000", range(40000, 50001)),
    "nearly everything": ("1024 65535", range(32768, 65536)),
    "not readable": ("", range(32768, 61000)),
}


@pytest.mark.parametrize("name", EPHEMERAL)
def test_ephemeral_ports(name: str, tmp_path: Path) -> None:
    text, expected = EPHEMERAL[name]
    (tmp_path / "range").write_text(text)
    assert ephemeral_ports(tmp_path / "range") == expected


def test_ports_of_services_and_of_weft_are_reserved() -> None:
    spec = ServiceSpec(ports=(ServicePort(port=12345, node_port=30080),))
    found = reserved(config(Service(ObjectMeta(name="a", namespace="default"), spec)))
    assert {12345, 20345, 30080, 9901, 1053, 8080, 8443} <= found
