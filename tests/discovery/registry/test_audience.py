"""Who is told of changes of a copy: those that registered this way, while their leases live."""

from __future__ import annotations

import pytest

from discovery.registry import audience as module
from discovery.registry.audience import Audience
from discovery.registry.messages import removed, update
from discovery.registry.resolv_conf import Resolver
from discovery.registry.targets import node_records
from discovery.registry.terms import LEAST_SECONDS, Terms
from discovery.registry.wire import from_text, to_wire

NODES, OTHER = (to_wire(from_text(f"{zone}.cluster.local")) for zone in ("nodes", "endpoints"))
N1, N2 = (to_wire(from_text(f"{name}.nodes.cluster.local")) for name in ("n1", "n2"))
FIRST, SECOND = Resolver("192.0.2.1", 1053), Resolver("192.0.2.2", 1053)
PART, ELSE = (to_wire(from_text(f"{part}.ns.endpoints.cluster.local")) for part in ("a", "b"))
LEASE = Terms(LEAST_SECONDS * 2)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_they_are_told_of_what_they_follow_as_long_as_their_leases_live() -> None:
    clock = Clock()
    made = Audience(NODES, clock)
    assert not made
    made.carried(update(1, NODES, node_records(N1, FIRST, [PART]), terms=LEASE))
    assert (made.targets([PART]), made.targets([ELSE])) == ({FIRST}, set())
    clock.now += LEAST_SECONDS
    made.carried(update(2, NODES, node_records(N2, SECOND), terms=LEASE))
    assert made.targets([PART]) == {FIRST, SECOND}
    clock.now += LEAST_SECONDS * 1.5
    assert made.targets([PART]) == {SECOND}
    assert len(made) == 1
    made.carried(update(3, NODES, [removed(each) for each in node_records(N2, SECOND)]))
    assert not made
    assert made.targets([PART]) == set()
    assert not made._until


def test_what_is_no_follower(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Audience(NODES, Clock())
    for message in (
        update(1, OTHER, node_records(PART, FIRST), terms=LEASE),
        update(1, NODES, node_records(PART, FIRST), terms=LEASE),
        b"nothing at all",
    ):
        made.carried(message)
    assert not made
    monkeypatch.setattr(module, "MOST", 1)
    for name, where in ((N1, FIRST), (N2, SECOND), (N1, SECOND)):
        made.carried(update(1, NODES, node_records(name, where), terms=LEASE))
    assert len(made) == 1
    made.carried(update(1, NODES, node_records(N1, FIRST)))
    assert made.targets(()) == {FIRST}, "what has no lease prolongs none"
