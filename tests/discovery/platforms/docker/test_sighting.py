from __future__ import annotations

from typing import Any

import pytest

from discovery.platforms.docker.sighting import address_of, age, is_inside, sighting, signal_number
from tests.discovery.platforms.docker.facts import ID, inspected, seen


def test_what_is_read_of_an_answer() -> None:
    found = sighting(inspected())
    assert (found.id, found.name, found.labels) == (ID, "shop_web.1", {"weft.dev/service": "shop/web"})
    assert (found.running, found.paused, found.health, found.stop_signal) == (True, False, "", 15)
    assert found.stop_seconds == 10
    assert found.addresses == {"bridge": "172.17.0.2"}


STATES: dict[str, tuple[dict[str, Any], tuple[bool, bool, str]]] = {
    "running": ({}, (True, False, "")),
    "paused": ({"Paused": True}, (True, True, "")),
    "between two runs": ({"Restarting": True}, (False, False, "")),
    "dead": ({"Dead": True}, (False, False, "")),
    "ended": ({"Running": False, "ExitCode": 1}, (False, False, "")),
    "not checked": ({"Health": {"Status": "none"}}, (True, False, "")),
    "starting": ({"Health": {"Status": "starting", "Log": []}}, (True, False, "starting")),
    "unhealthy": ({"Health": {"Status": "unhealthy"}}, (True, False, "unhealthy")),
}


@pytest.mark.parametrize("case", STATES)
def test_states(case: str) -> None:
    state, wanted = STATES[case]
    found = sighting(inspected(**state))
    assert (found.running, found.paused, found.health) == wanted


def test_what_is_absent_is_not_missed() -> None:
    bare = {"Id": "a", "Name": "/b", "State": {}, "Config": {"Labels": None, "StopSignal": "SIGQUIT"}}
    found = sighting(bare)
    assert (found.labels, found.addresses, found.stop_signal) == ({}, {}, 3)


@pytest.mark.parametrize("answer", [{}, {"Id": 1}, {"message": "no such container"}, {**inspected(), "State": "up"}])
def test_no_answer(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        sighting(answer)


SIGNALS = {"SIGTERM": 15, "TERM": 15, "term": 15, "15": 15, "SIGRTMIN+3": 37, "RTMIN": 34, "": 0, "SIGNONE": 0, "+1": 0}


@pytest.mark.parametrize("text", SIGNALS)
def test_signals(text: str) -> None:
    assert signal_number(text) == SIGNALS[text]


KINDS = {"bridge": "bridge", "apps": "bridge", "zoo": "bridge", "ov": "overlay", "host": "host"}
ADDRESSES: dict[str, tuple[dict[str, str], str, str]] = {
    "none": ({}, "", ""),
    "the only one": ({"apps": "172.18.0.2"}, "", "172.18.0.2"),
    "the first bridge": ({"zoo": "172.19.0.2", "ov": "10.0.0.2", "apps": "172.18.0.2"}, "", "172.18.0.2"),
    "the one that is wanted": ({"zoo": "172.19.0.2", "apps": "172.18.0.2"}, "zoo", "172.19.0.2"),
    "not in the one that is wanted": ({"apps": "172.18.0.2"}, "zoo", ""),
    "overlay only": ({"ov": "10.0.0.2"}, "", ""),
    "overlay, if it is wanted": ({"ov": "10.0.0.2"}, "ov", "10.0.0.2"),
    "not known yet": ({"new": "172.20.0.2"}, "", ""),
    "the host's": ({"host": "127.0.0.1"}, "", "127.0.0.1"),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_addresses(case: str) -> None:
    addresses, wanted, address = ADDRESSES[case]
    assert address_of(seen(addresses=addresses), wanted, KINDS) == address


def test_address_of_the_host_network_and_of_the_new_protocol() -> None:
    networks = {"host": {"IPAddress": ""}, "v6": {"IPAddress": "", "GlobalIPv6Address": "fd00::2"}, "none": None}
    found = sighting({**inspected(), "NetworkSettings": {"Networks": networks}})
    assert found.addresses == {"host": "127.0.0.1", "v6": "fd00::2"}


@pytest.mark.parametrize(
    ("started", "seconds"),
    [("2026-01-01T10:00:00.123456789Z", 60.0), ("2026-01-01T10:02:00Z", 0.0), ("", 0.0), ("soon", 0.0)],
)
def test_age(started: str, seconds: float) -> None:
    assert age(started, 1767261660.123456) == pytest.approx(seconds)


@pytest.mark.parametrize(("address", "inside"), [("172.17.0.2", True), ("10.0.0.2", False), ("127.0.0.1", False)])
def test_what_is_in_a_bridge_is_inside(address: str, inside: bool) -> None:
    found = seen(addresses={"bridge": "172.17.0.2", "lan": "10.0.0.2"})
    assert is_inside(found, address, {"bridge": "bridge", "lan": "macvlan"}) is inside
