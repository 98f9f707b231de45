"""What became of listeners, as people are told."""

from __future__ import annotations

from types import SimpleNamespace

from mesh.compiler import compile  # noqa: A004 - the word for it
from mesh.listener import Listeners, ListenerState
from mesh.live import Live
from sidecar.assembly import Assembly
from sidecar.doors import doors
from tests.mesh.making import Clock, config, endpoints, ingress, service, snapshot


async def test_doors_say_what_is_served_where(node: Assembly) -> None:
    (door,) = node.running.doors()
    assert (door.namespace, door.service, door.port) == ("default", "web", "http")
    assert (door.entry, door.protocol, door.ready, door.note) == ("ClusterIP", "http", True, "")
    assert door.wanted == door.served
    assert door.url == f"http://{door.served}/"
    assert door._replace(protocol="tcp").served_url == f"tcp://{door.served}"
    assert door._replace(protocol="udp").served_url == f"udp://{door.served}"
    assert not door._replace(entry="HealthCheck").http


def test_the_door_of_ingresses_is_ready_when_a_rule_can_be_answered() -> None:
    written = config(service("shop"), ingress("i", "Prefix / -> shop:80", "Prefix /x -> shop:81"))
    for count in (0, 1):
        made = compile(written, snapshot(1, shop={"http": endpoints(count)}), None, Live(Clock()))
        door = list(doors(made.table, SimpleNamespace(states={})))[-1]  # type: ignore[arg-type]
        assert (door.namespace, door.service, door.url) == ("", "ingress", "http://127.0.0.1:8080/")
        assert door.ready == bool(count)


def test_a_rule_for_a_name_of_this_machine_names_it() -> None:
    written = config(service("shop"), ingress("i", "Prefix a.b/ -> shop:80", "Prefix shop.localhost/ -> shop:80"))
    made = compile(written, snapshot(1, shop={"http": endpoints(1)}), None, Live(Clock()))
    door = list(doors(made.table, SimpleNamespace(states={})))[-1]  # type: ignore[arg-type]
    assert door.url == "http://shop.localhost:8080/"
    assert door._replace(wanted="127.96.0.7:80").url == "http://127.96.0.7:80/", "the name leads to 127.0.0.1"


async def test_a_listener_that_is_not_open_yet_says_so(node: Assembly) -> None:
    (door,) = doors(node.proxy.table, Listeners(node.proxy))
    assert (door.served, door.note) == ("", "it is not opened yet")


async def test_a_listener_that_is_bound_elsewhere_says_where_and_why(node: Assembly) -> None:
    (key,) = node.listeners.states
    elsewhere = key._replace(port=key.port + 1)
    states = {key: ListenerState(elsewhere, "port 80 needs a right")}
    (door,) = doors(node.proxy.table, SimpleNamespace(states=states))  # type: ignore[arg-type]
    assert door.served == str(elsewhere)
    assert door.note == f"served at {elsewhere} (port 80 needs a right)"
