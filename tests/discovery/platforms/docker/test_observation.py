from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.platforms.docker.condition import Condition
from discovery.platforms.docker.labels import service_of
from discovery.platforms.docker.observation import KEPT, Observation
from discovery.platforms.docker.sighting import Sighting
from tests.discovery.platforms.docker.facts import ID, event, network_event, seen


def observation() -> Observation:
    return Observation(lambda labels: service_of(labels) is not None)


def looked_at(held: Observation, now: Sighting) -> bool:
    assert held.look() == now.id
    return held.seen(now.id, now)


def test_a_container_that_starts_is_looked_at_and_then_there() -> None:
    held = observation()
    assert not held.happened(event("start"))
    assert looked_at(held, seen())
    assert held.conditions == {ID: Condition(seen())}
    assert held.look() is None


def test_containers_that_do_not_matter_are_let_be() -> None:
    held = observation()
    other = event("start", "other")._replace(attributes={"image": "web"})
    assert not held.happened(other)
    assert not held.happened(network_event("connect", "bridge", "other"))
    assert held.look() is None


def test_what_an_event_says_counts_at_once() -> None:
    held = observation()
    held.listed([ID], afresh=True)
    assert looked_at(held, seen())
    assert held.happened(event("kill", signal="15"))
    assert held.conditions[ID].ending
    assert not held.happened(event("kill", signal="15"))
    assert held.happened(event("die"))
    assert held.conditions == {}


def test_an_answer_that_is_older_than_an_event_is_thrown_away() -> None:
    held = observation()
    held.happened(event("start"))
    assert held.look() == ID
    held.happened(event("die"))
    assert not held.seen(ID, seen())
    assert held.conditions == {}
    assert held.look() == ID
    assert not held.seen(ID, seen(running=False))


def test_a_list_has_looked_at_what_is_new_and_what_is_missing() -> None:
    held = observation()
    held.listed([ID], afresh=True)
    assert looked_at(held, seen())
    held.listed([ID], afresh=False)
    assert held.look() is None
    held.listed(["new"], afresh=False)
    assert {held.look(), held.look()} == {ID, "new"}
    assert held.absent(ID)
    assert not held.absent("new")
    assert held.conditions == {}


def test_looks_that_were_broken_off_are_not_waited_for() -> None:
    held = observation()
    held.listed([ID], afresh=True)
    assert held.look() == ID
    held.begin(0.0)
    assert not held._asking


def test_the_list_may_come_while_somebody_looks() -> None:
    held = observation()
    held.happened(event("start"))
    assert held.look() == ID
    held.listed([], afresh=True)
    assert not held.absent(ID)


def test_a_signal_that_comes_before_the_first_look_is_not_forgotten() -> None:
    held = observation()
    held.happened(event("start"))
    assert held.look() == ID
    assert not held.happened(event("kill", signal="15"))
    assert not held.happened(event("kill", signal="1"))
    assert not held.seen(ID, seen()), "the answer may be older"
    assert looked_at(held, seen())
    assert held.conditions[ID].ending


BEGAN = "2026-01-01T10:00:00Z"
SECOND = 1_000_000_000
STARTED = 1_767_261_600 * SECOND


@pytest.mark.parametrize(("at", "ending"), [(STARTED - SECOND, False), (STARTED + SECOND, True)])
def test_signals_from_before_weft_began_count_for_the_run_that_they_were_sent_to(at: int, ending: bool) -> None:
    held = observation()
    held.happened(event("kill", signal="15")._replace(at=at))
    held.listed([ID], afresh=True)
    assert looked_at(held, seen(started=BEGAN))
    assert held.conditions[ID].ending is ending


def test_what_has_ended_was_not_sent_anything() -> None:
    held = observation()
    held.happened(event("kill", signal="15"))
    held.happened(event("die"))
    held.listed([ID], afresh=True)
    assert looked_at(held, seen())
    assert not held.conditions[ID].ending
    assert not held._early


def test_an_event_that_is_told_again_counts_once() -> None:
    held = observation()
    assert held.begin(1000.5) == "700.500000000"
    held.listed([ID], afresh=True)
    assert looked_at(held, seen())
    pause = event("pause")._replace(at=STARTED + 5)
    assert held.happened(pause)
    assert held.begin(1000.0) == f"{STARTED // SECOND}.000000005"
    assert held.happened(event("pause")._replace(action="unpause", at=STARTED + 6))
    assert not held.happened(pause)
    assert not held.conditions[ID].sighting.paused
    for number in range(1000):
        held.happened(event("exec", "other")._replace(at=STARTED + 10 + number))
        held.happened(event("kill", f"unknown {number}", signal="15"))
    assert len(held._heard) == len(held._early) == KEPT


def test_nobody_is_gone_before_a_look() -> None:
    held = observation()
    held.happened(event("start"))
    assert looked_at(held, seen())
    held.listed([], afresh=True)
    assert held.conditions
    assert not looked_at(held, seen())
    assert held.conditions


STEPS = st.lists(st.sampled_from(["start", "stop", "kill", "pause", "unpause", "look", "answer", "list"]), max_size=40)


@given(STEPS)
def test_what_is_held_in_the_end_is_what_runs(steps: list[str]) -> None:
    """Whatever happens while somebody looks: once all events are heard and all is seen, it is as it is."""
    held, running, paused, run, asked = observation(), False, False, 0, ""

    def answer() -> None:
        held.seen(ID, seen(running=running, paused=paused, started=str(run)))

    for step in steps:
        if step == "start" and not running:
            running, paused, run = True, False, run + 1
            held.happened(event("start"))
        elif step == "stop" and running:
            running = paused = False
            held.happened(event("die"))
        elif step == "kill" and running:
            held.happened(event("kill", signal="15"))
        elif step in ("pause", "unpause") and running and paused != (step == "pause"):
            paused = step == "pause"
            held.happened(event(step))
        elif step == "look" and not asked:
            asked = held.look() or ""
        elif step == "answer" and asked:
            asked = ""
            answer()
        elif step == "list":
            held.listed([ID] if running else [], afresh=True)
    if asked:
        answer()
    while held.look():
        answer()
    assert list(held.conditions) == ([ID] if running else [])
    if running:
        assert held.conditions[ID].sighting.started == str(run)
        assert held.conditions[ID].sighting.paused == paused


def test_one_that_ignores_its_signal_is_back_in_the_end() -> None:
    now = 0.0
    held = Observation(lambda labels: service_of(labels) is not None, lambda: now)
    held.listed([ID], afresh=True)
    assert looked_at(held, seen(stop_seconds=100.0))
    held.happened(event("kill", signal="15"))
    now = 150.0
    held.happened(event("kill", signal="15"))
    held.happened(event("kill", signal="1"))
    now = 349.0
    assert not held.forgive()
    assert held.conditions[ID].ending
    now = 350.0
    assert held.forgive()
    assert held.conditions[ID].ready
    assert not held.forgive()


def test_one_that_ended_is_not_forgiven() -> None:
    now = 0.0
    held = Observation(lambda labels: service_of(labels) is not None, lambda: now)
    held.listed([ID], afresh=True)
    assert looked_at(held, seen())
    held.happened(event("kill", signal="15"))
    held.happened(event("die"))
    held.happened(event("start"))
    assert looked_at(held, seen(started="second"))
    now = 1000.0
    assert not held.forgive()
