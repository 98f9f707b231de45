"""Which Services are followed, and for how long they are waited for."""

from __future__ import annotations

import pytest

from config.meta import Named
from sidecar import uses as module
from sidecar.uses import PATIENCE, Uses, part_of

OWN, SHOP, DB = Named("default", "own"), Named("default", "shop"), Named("prod", "db")


def uses(*services: Named) -> Uses:
    made = Uses([OWN], 0.0)
    made.define(services or (OWN, SHOP, DB), 0.0)
    return made


def test_what_is_named_is_followed_and_what_is_used_from_then_on() -> None:
    made = uses()
    assert made.parts == {b"\3own\7default"}
    assert made.use(SHOP, 1.0)
    assert not made.use(SHOP, 2.0)
    assert not made.use(OWN, 2.0)
    assert made.parts == {part_of(OWN), part_of(SHOP)}


def test_what_there_is_not_is_not_followed() -> None:
    made = uses(OWN, SHOP)
    assert not made.use(DB, 1.0)
    assert not made.lacks(DB, 1.0)
    made.use(SHOP, 1.0)
    made.define((OWN,), 0.0)
    assert made.parts == {part_of(OWN)}


def test_it_is_waited_for_until_it_is_known_but_not_for_ever() -> None:
    made = uses()
    assert made.lacks(SHOP, 100.0)
    made.use(SHOP, 100.0)
    made.use(DB, 100.0)
    assert made.lacks(SHOP, 100.0 + PATIENCE / 2)
    made.known(frozenset({part_of(SHOP)}))
    assert not made.lacks(SHOP, 100.0)
    assert made.lacks(DB, 100.0 + PATIENCE / 2)
    assert not made.lacks(DB, 100.0 + PATIENCE)
    assert made.lacks(OWN, PATIENCE / 2)
    assert not made.lacks(OWN, PATIENCE)


def test_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    many = [Named("default", f"s{number}") for number in range(5)]
    made = uses(OWN, *many)
    for number, each in enumerate(many):
        assert made.use(each, float(number))
    assert made.parts == {part_of(each) for each in (OWN, *many[2:])}
    assert made.lacks(many[0], 10.0)


def test_what_is_not_there_is_sought_where_somebody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SOUGHT", 2)
    made = uses(OWN)
    assert made.lacks(SHOP, 0.0, can_ask=True)
    assert made.use(SHOP, 0.0, can_ask=True)
    assert not made.use(SHOP, 1.0, can_ask=True)
    assert (made.wanted, made.parts) == ((OWN, SHOP), {part_of(OWN)})
    assert made.lacks(SHOP, PATIENCE / 2, can_ask=True)
    assert not made.lacks(SHOP, PATIENCE, can_ask=True)
    assert made.lacks(OWN, PATIENCE / 2, can_ask=True), "it is named, and may come"
    assert not made.lacks(OWN, PATIENCE, can_ask=True), "who asked for it at the beginning was not answered"
    assert not made.lacks(SHOP, PATIENCE / 2), "nobody can be asked now"
    made.answered()
    assert not made.lacks(SHOP, 0.0, can_ask=True), "it is known not to be there"
    assert made.define((OWN, SHOP), 10.0)
    assert made.parts == {part_of(OWN), part_of(SHOP)}
    assert made.lacks(SHOP, 11.0, can_ask=True), "its endpoints are not known"
    assert not made.define((OWN, SHOP), 11.0)
    others = [Named("default", f"s{number}") for number in range(3)]
    for each in others:
        assert made.use(each, 12.0, can_ask=True)
    assert made.wanted == (OWN, SHOP, *others[1:])


def test_one_that_is_forgotten_is_sought_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SOUGHT", 1)
    made = uses(OWN)
    made.use(SHOP, 0.0, can_ask=True)
    made.answered()
    made.use(DB, 0.0, can_ask=True)
    made.answered()
    assert made.lacks(SHOP, 1.0, can_ask=True)
    assert made.use(SHOP, 1.0, can_ask=True)
