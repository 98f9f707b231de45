"""Ports of inbound listeners: the same after a restart, and never another owner's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.inbound_ports import InboundPorts, NoPort


def test_each_listener_has_a_port_of_its_own() -> None:
    ports = InboundPorts()
    given_out = [ports.take(owner) for owner in ("shop", "shop", "cart", "shop")]
    assert len(set(given_out)) == 4
    assert all(15000 <= number < 20000 for number in given_out)


def test_a_replica_that_follows_another_has_its_port() -> None:
    ports = InboundPorts()
    first, second = ports.take("shop"), ports.take("shop")
    ports.give_back(first)
    assert ports.take("shop") == first
    ports.give_back(second)
    assert ports.take("cart") not in (first, second)


def test_what_was_assigned_is_so_after_a_restart() -> None:
    before = InboundPorts()
    numbers = {owner: [before.take(owner) for _ in range(3)] for owner in ("shop", "cart")}
    after = InboundPorts(before.assigned)
    for owner in ("cart", "shop"):
        assert [after.take(owner) for _ in range(3)] == numbers[owner]


def test_a_port_that_another_program_has_is_nobodys() -> None:
    ports = InboundPorts(ports=range(10, 13))
    taken = ports.take("shop")
    ports.refuse(taken)
    assert ports.assigned == {}
    assert {ports.take("shop"), ports.take("shop")} == set(range(10, 13)) - {taken}


def test_when_all_are_assigned_who_waited_longest_is_forgotten() -> None:
    ports = InboundPorts(ports=range(10, 13))
    held = {owner: ports.take(owner) for owner in ("shop", "cart", "web")}
    with pytest.raises(NoPort):
        ports.take("late")
    for owner in ("cart", "shop"):
        ports.give_back(held[owner])
    assert ports.take("late") == held["cart"]
    assert ports.take("shop") == held["shop"]
    assert set(ports.assigned) == {"shop", "web", "late"}


def test_what_is_remembered_wrongly_is_passed_over() -> None:
    ports = InboundPorts({"shop": (10, 99), "cart": (10, 11)}, range(10, 13))
    assert ports.assigned == {"shop": (10,), "cart": (11,)}


@given(st.lists(st.tuples(st.sampled_from(("shop", "cart", "web")), st.integers(0, 5)), max_size=40))
def test_whatever_is_opened_and_closed_no_port_changes_its_owner(steps: list[tuple[str, int]]) -> None:
    ports = InboundPorts(ports=range(10, 100))
    open_now: list[int] = []
    owners: dict[int, str] = {}
    for owner, which in steps:
        if which < len(open_now):
            ports.give_back(open_now.pop(which))
        else:
            number = ports.take(owner)
            assert number not in open_now
            assert owners.setdefault(number, owner) == owner
            open_now.append(number)
    assert {number: owner for owner, numbers in ports.assigned.items() for number in numbers} == owners
