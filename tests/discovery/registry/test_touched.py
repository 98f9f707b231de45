"""Which serials concern whom."""

from __future__ import annotations

import pytest

from discovery.registry import touched as module
from discovery.registry.content import Content, content_of
from discovery.registry.resolv_conf import Resolver
from discovery.registry.targets import node_records
from discovery.registry.touched import Touched
from discovery.registry.wire import from_text, to_wire

WHERE = Resolver("192.0.2.1", 53)


def name(text: str) -> bytes:
    return to_wire(from_text(f"{text}.cluster.local"))


def touched(*parts: str) -> tuple[Touched, Content]:
    """One node `n`, which follows `parts`, and a zone that has serial 5."""
    zone = Content(name("endpoints"), 5)
    records = node_records(name("n.nodes"), WHERE, [name(part) for part in parts])
    return Touched(zone, content_of(name("nodes"), 1, records)), zone


def test_a_change_concerns_those_who_follow_its_service() -> None:
    made, zone = touched("a.ns.endpoints", "b.ns.endpoints")
    assert made.last_for("n") == 5
    for serial, changed, last in [
        (6, "h1.c.ns.endpoints", 5),
        (7, "h1.a.ns.endpoints", 7),
        (8, "_http._tcp.b.ns.endpoints", 8),
        (9, "endpoints", 8),
        (10, "a.other.endpoints", 8),
    ]:
        zone.serial = serial
        made.changed([name(changed)])
        assert made.last_for("N") == last


@pytest.mark.parametrize("parts", [(), ("endpoints",), ("ns.endpoints",), ("h.a.ns.endpoints",), ("elsewhere",)])
def test_of_who_follows_something_else_nothing_is_known(parts: tuple[str, ...]) -> None:
    made, _ = touched(*parts)
    assert made.last_for("n") is None


@pytest.mark.parametrize("node", ["m", "", "a" * 64, "n.nodes"])
def test_of_who_is_not_there_nothing_is_known(node: str) -> None:
    made, _ = touched("a.ns.endpoints")
    assert made.last_for(node) is None


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    made, zone = touched("a.ns.endpoints")
    for zone.serial in range(6, 30):
        made.changed([name(f"s{zone.serial}.ns.endpoints")])
        assert len(made._serials) <= 10
    last = made.last_for("n")
    assert last is not None
    assert last > 5
