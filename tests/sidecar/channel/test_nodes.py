"""What is known of nodes, and when all of them have a serial in force."""

from __future__ import annotations

import asyncio

import pytest

from mesh.stats import BackendFrame
from sidecar.channel import nodes as module
from sidecar.channel import tally
from sidecar.channel.messages import Autoscaled, Hello, InForce, Stats, Wanted
from sidecar.channel.nodes import Nodes

HELLO = Hello(1, "0.1")
NEVER = 1000.0


def _nodes(*leased: str) -> Nodes:
    return Nodes(lambda: leased, lambda: 5.0)


def _after(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


ROWS: dict[str, tuple[tuple[str, ...], dict[str, int | None], int, tuple[str, ...]]] = {
    "nobody is there": ((), {}, 7, ()),
    "a lease and no connection": (("a",), {}, 7, ("a",)),
    "the lease of one that says nothing": (("a",), {"a": None}, 7, ("a",)),
    "one that has it": (("a",), {"a": 7}, 7, ()),
    "one that has a later one": (("a",), {"a": 8}, 7, ()),
    "one that is behind": (("a", "b"), {"a": 6, "b": 7}, 7, ("a",)),
    "one that is behind, without a lease": ((), {"a": 6}, 7, ("a",)),
    "one that does not follow the zone": ((), {"a": None}, 7, ()),
    "the one that asks": (("asker",), {}, 7, ()),
    "beyond the last serial": (("a", "b"), {"a": 3, "b": 2**32 - 2}, 1, ("b",)),
}


@pytest.mark.parametrize(("leased", "serials", "wanted", "missing"), ROWS.values(), ids=ROWS)
async def test_who_has_not_a_serial_in_force(
    leased: tuple[str, ...], serials: dict[str, int | None], wanted: int, missing: tuple[str, ...]
) -> None:
    nodes = _nodes(*leased)
    for name, serial in serials.items():
        nodes.has(nodes.came(name, HELLO, ""), InForce(serial))
    assert await nodes.confirmed(wanted, _after(0.02), "asker") == missing
    assert [each.missing for each in nodes.unconfirmed] == ([missing] if missing else [])


@pytest.mark.parametrize(
    ("last", "has", "is_waited_for"), [(7, 7, False), (8, 7, True), (7, None, True), (None, 7, True)]
)
async def test_nobody_waits_for_who_is_not_told_of_it(last: int | None, has: int | None, is_waited_for: bool) -> None:
    nodes = Nodes(lambda: ["a"], lambda: 0.0, last_for=lambda _: last)
    nodes.has(nodes.came("a", HELLO, ""), InForce(has))
    assert await nodes.confirmed(9, _after(0)) == (("a",) if is_waited_for else ())


async def test_a_question_is_answered_at_the_moment_the_last_one_confirms() -> None:
    nodes = _nodes("a", "b")
    a, b = (nodes.came(name, HELLO, "") for name in "ab")
    asking = asyncio.create_task(nodes.confirmed(9, _after(NEVER)))
    await asyncio.sleep(0)
    nodes.has(a, InForce(9))
    await asyncio.sleep(0)
    assert not asking.done()
    nodes.has(b, InForce(10))
    assert await asking == ()


async def test_nobody_waits_for_a_node_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    leased = {"a"}
    nodes = Nodes(lambda: leased, lambda: 5.0)
    b = nodes.came("b", HELLO, "")
    nodes.has(b, InForce(1))
    asking = asyncio.create_task(nodes.confirmed(9, _after(NEVER)))
    await asyncio.sleep(0.02)
    assert not asking.done()
    leased.clear()
    nodes.left(b)
    assert await asking == ()


async def test_a_node_that_may_not_connect_is_not_waited_for() -> None:
    nodes = Nodes(lambda: ["a", "b"], lambda: 5.0, {"a"}.__contains__)
    assert await nodes.confirmed(7, _after(0.01)) == ("a",)


async def test_a_replica_is_idle_when_nobody_has_anything_in_flight_on_it() -> None:
    nodes = _nodes("leased")
    a, b = (nodes.came(name, HELLO, "") for name in "ab")
    nodes.has(a, InForce(7, busy=("r1", "r2")))
    nodes.has(b, InForce(7, busy=("r1",)))
    assert await nodes.idle("r1", _after(0.01), "a") == ("b",)
    asking = asyncio.create_task(nodes.idle("r1", _after(NEVER)))
    await asyncio.sleep(0)
    nodes.has(b, InForce(7))
    nodes.has(a, InForce(7, busy=("r2",)))
    assert await asking == ()
    assert not nodes.unconfirmed


def test_counters_are_taken_over_and_kept_when_a_node_leaves() -> None:
    nodes = _nodes()
    node = nodes.came("a", HELLO, "")
    node.counted(Stats([BackendFrame("d", "x", "p", bytes_in=1), BackendFrame("d", "y", "p", bytes_in=1)], whole=True))
    node.counted(Stats([BackendFrame("d", "x", "p", bytes_in=5)]))
    nodes.left(node)
    assert {each.service: each.bytes_in for each in nodes.frames()["a"].backends} == {"x": 5, "y": 1}
    node.counted(Stats([BackendFrame("d", "z", "p")], whole=True))
    assert [each.service for each in nodes.frames()["a"].backends] == ["z"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NODES", 3)
    monkeypatch.setattr(tally, "MOST_BACKENDS", 2)
    nodes = _nodes()
    stays = nodes.came("stays", HELLO, "")
    stays.counted(Stats([BackendFrame("d", str(number), "p") for number in range(9)]))
    assert len(stays.tally.current()) == 2
    for number in range(9):
        nodes.left(nodes.came(str(number), HELLO, ""))
    assert {node.name for node in nodes} == {"stays", "7", "8"}
    nodes.forget(["8"])
    assert {node.name for node in nodes} == {"stays", "8"}


def test_what_was_wanted_of_who_is_not_scaled_any_more_is_forgotten() -> None:
    nodes = _nodes("a")
    node = nodes.came("a", HELLO, "")
    web, api = Wanted("default/web", sleeps=True), Wanted("default/api")
    nodes.define(Autoscaled((web, api)))
    node.wanted = {name: Wanted(name, replicas=0) for name in ("default/web", "default/api")}
    nodes.define(Autoscaled((api,)))
    nodes.define(Autoscaled((web, api)))
    said = {each.name: each.replicas for each in nodes.wanted_of(node).workloads}
    assert said == {"default/web": None, "default/api": 0}


def test_nodes_are_told_once_all_autoscalers_are_known() -> None:
    nodes, told = _nodes("a", "b"), 0

    def tell() -> None:
        nonlocal told
        told += 1

    nodes.followers.append(tell)
    a, b = (nodes.came(name, HELLO, "") for name in "ab")
    steps = [(nodes.wanted_of(a).incomplete, told)]
    for incomplete in (True, False, False):
        nodes.define(Autoscaled(incomplete=incomplete))
        steps.append((nodes.wanted_of(a).incomplete, told))
    assert steps == [(True, 0), (True, 0), (False, 1), (False, 1)]
    assert nodes.wanted_of(a) is nodes.wanted_of(b), "what holds for all is made once"
