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
