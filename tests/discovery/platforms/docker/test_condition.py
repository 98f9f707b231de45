from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from discovery.platforms.docker.condition import ACTIONS, Condition, Event, after, seen_again
from tests.discovery.platforms.docker.facts import condition, event, network_event, seen

READY, ENDING, OUT, AWAY = "ready", "serving, terminating", "neither", "gone"


def word(now: Condition | None) -> str:
    if now is None:
        return AWAY
    assert not (now.ready and now.ending)
    if now.serving:
        return READY if now.ready else ENDING
    return OUT


EVENTS: dict[str, tuple[dict[str, Any], Event, str]] = {
    "TERM": ({}, event("kill", signal="15"), ENDING),
    "INT": ({}, event("kill", signal="2"), ENDING),
    "QUIT": ({}, event("kill", signal="3"), ENDING),
    "KILL": ({}, event("kill", signal="9"), OUT),
    "HUP is a reload": ({}, event("kill", signal="1"), READY),
    "USR1": ({}, event("kill", signal="10"), READY),
    "its own stop signal": ({"stop_signal": 10}, event("kill", signal="10"), ENDING),
    "TERM, though another one stops it": ({"stop_signal": 10}, event("kill", signal="15"), ENDING),
    "no stop signal is known": ({"stop_signal": 0}, event("kill", signal=""), ENDING),
    "no signal": ({}, event("kill"), READY),
    "die": ({}, event("die", exitCode="0"), AWAY),
    "stop": ({}, event("stop"), AWAY),
    "destroy": ({}, event("destroy"), AWAY),
    "oom": ({}, event("oom"), OUT),
    "pause": ({}, event("pause"), OUT),
    "unpause": ({"paused": True}, event("unpause"), READY),
    "start": ({}, event("start"), READY),
    "restart": ({}, event("restart"), READY),
    "healthy": ({"health": "starting"}, event("health_status: healthy"), READY),
    "unhealthy": ({"health": "healthy"}, event("health_status: unhealthy"), OUT),
    "still starting": ({"health": "starting"}, event("start"), OUT),
    "healthy, but paused": ({"health": "unhealthy", "paused": True}, event("health_status: healthy"), OUT),
    "connect": ({}, network_event("connect", "other"), READY),
    "disconnect": ({}, network_event("disconnect", "bridge"), READY),
}


@pytest.mark.parametrize("case", EVENTS)
def test_events(case: str) -> None:
    before, happened, wanted = EVENTS[case]
    assert word(after(Condition(seen(**before)), happened)) == wanted


def test_every_action_is_in_the_table() -> None:
    assert {happened.action.partition(":")[0] for _, happened, _ in EVENTS.values()} == set(ACTIONS)


def test_a_network_that_it_left_has_no_address_any_more() -> None:
    both = Condition(seen(addresses={"bridge": "172.17.0.2", "apps": "172.18.0.2"}))
    left = after(both, network_event("disconnect", "bridge"))
    assert left is not None
    assert left.sighting.addresses == {"apps": "172.18.0.2"}


def test_a_signal_is_not_forgotten_in_one_run() -> None:
    ending = after(condition(), event("kill", signal="15"))
    assert ending is not None
    assert word(seen_again(ending, seen())) == ENDING
    assert word(seen_again(ending, seen(started="second"))) == READY
    assert word(seen_again(ending, seen(running=False))) == AWAY
    assert word(seen_again(None, seen())) == READY


def test_who_was_out_of_memory_and_runs_on_serves_again() -> None:
    assert word(seen_again(replace(condition(), out=True), seen())) == READY
