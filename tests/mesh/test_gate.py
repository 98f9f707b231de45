"""The gate: a listener's own limit, and the process's descriptors."""

from __future__ import annotations

from mesh.descriptors import Descriptors
from mesh.gate import Gate
from mesh.table import ListenerKey

KEY = ListenerKey("127.0.0.1", 80)


def test_a_listener_has_room_until_its_limit() -> None:
    gate = Gate(Descriptors(1024), KEY, limit=2)
    assert gate.room == 2
    gate.entered()
    assert gate.room == 1
    gate.entered()
    assert gate.room == 0
    gate.left()
    assert gate.room == 1
    assert gate.open == 1


def test_listeners_share_the_descriptors() -> None:
    descriptors = Descriptors(8)  # six, after the reserve
    first, second = Gate(descriptors, KEY, limit=100), Gate(descriptors, KEY, limit=100)
    first.entered()
    first.entered()
    second.entered()
    assert first.room == 0
    assert second.room == 0
    first.left()
    assert second.room == 1
