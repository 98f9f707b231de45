"""``reach: ports``: every port that is dialled gets one of 127.0.0.1, the same every time."""

from __future__ import annotations

import pytest

from config.local_ports import local_ports as ports_of
from config.meta import Named
from config.resources.core import ServicePort
from config.settings import LOCAL_PORTS
from discovery import local_ports
from discovery.local_ports import LocalPorts, give_local_ports
from tests.mesh.making import service

WEB, DNS = ServicePort(80, name="http"), ServicePort(53, name="dns", protocol="UDP")


def give(*services: object, **remembered: int) -> LocalPorts:
    there = {Named("default", each.metadata.name): each for each in services}  # type: ignore[attr-defined]
    return give_local_ports(there, {f"default/{key.replace('_', '/')}": port for key, port in remembered.items()})


def numbers(made: LocalPorts, name: str) -> list[int]:
    return list(ports_of(made.services[Named("default", name)]).values())


def test_every_dialled_port_gets_one() -> None:
    made = give(service("web", WEB, DNS, ServicePort(9, name="s", protocol="SCTP")))
    first, second = numbers(made, "web")
    assert first in LOCAL_PORTS
    assert second in LOCAL_PORTS
    assert first != second
    assert made.given == {"default/web/TCP/http": first, "default/web/UDP/dns": second}
    assert ports_of(made.services[Named("default", "web")]) == {"http": first, "dns": second}


def test_it_is_the_same_every_time_whoever_else_is_there() -> None:
    alone = numbers(give(service("web", WEB)), "web")
    assert numbers(give(service("other", WEB, DNS), service("web", WEB)), "web") == alone


def test_what_was_remembered_wins_if_it_fits() -> None:
    assert numbers(give(service("web", WEB), web_TCP_http=20007), "web") == [20007]
    assert numbers(give(service("web", WEB), web_TCP_http=80), "web") == numbers(give(service("web", WEB)), "web")
    both = give(service("a", WEB), service("b", WEB), a_TCP_http=20007, b_TCP_http=20007)
    assert numbers(both, "a") == [20007]
    assert numbers(both, "b") != [20007]


@pytest.mark.parametrize(
    "only_a_name", [service("s", WEB, cluster_ip="None"), service("s", WEB, type="ExternalName", external_name="a.b")]
)
def test_who_is_not_dialled_needs_none(only_a_name: object) -> None:
    made = give(only_a_name)
    assert made.services[Named("default", "s")] is only_a_name
    assert made.given == {}


def test_when_all_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_ports, "LOCAL_PORTS", range(20000, 20002))
    made = give(service("a", WEB), service("b", WEB), service("c", WEB))
    assert made.left_out == (Named("default", "c"),)
    assert set(made.services) == {Named("default", "a"), Named("default", "b")}
