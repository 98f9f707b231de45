"""Who goes first when replicas must go."""

from __future__ import annotations

import pytest

from mesh.autoscaling.target import ReplicaLoad
from mesh.autoscaling.victims import choose
from tests.mesh.autoscaling.objects import Fake

LOADS = {name: ReplicaLoad(in_flight) for name, in_flight in (("busy", 9), ("idle", 0), ("some", 2))}


@pytest.mark.parametrize(
    ("what", "copies", "count", "expected"),
    [
        ("the emptiest first", [Fake("busy"), Fake("some"), Fake("idle")], 2, ("idle", "some")),
        ("of equals the newest", [Fake("a", started=1.0), Fake("b", started=2.0)], 1, ("b",)),
        (
            "of these, who has been ready for less time",
            [Fake("a", since=2.0, started=1.0), Fake("b", since=1.0)],
            1,
            ("a",),
        ),
        ("pending before unready", [Fake("idle", ready=False), Fake("busy", ready=False, pending=True)], 1, ("busy",)),
        ("unready before the emptiest", [Fake("idle"), Fake("busy", ready=False)], 1, ("busy",)),
        ("who goes already is no choice", [Fake("idle", terminating=True), Fake("busy")], 1, ("busy",)),
        ("none, when none must go", [Fake("idle")], 0, ()),
        ("none, when more are to come", [Fake("idle")], -3, ()),
        ("no more than there are", [Fake("idle")], 5, ("idle",)),
    ],
)
def test_choice(what: str, copies: list[Fake], count: int, expected: tuple[str, ...]) -> None:
    assert choose(copies, count, LOADS) == expected, what
