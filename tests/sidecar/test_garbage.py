"""When garbage is looked for, beside a process of which the collector is left as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sidecar.garbage import MANY_OBJECTS, MOST_CLIENTS, Garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize(("changed", "looking"), [(MANY_OBJECTS - 1, True), (MANY_OBJECTS, False)])
def test_only_a_large_change_is_not_looked_through(changed: int, looking: bool) -> None:
    gc.unfreeze()
    with Garbage(lambda: 0).unsought(changed):
        assert gc.isenabled() is looking
    assert gc.isenabled()
    assert bool(gc.get_freeze_count()) is not looking


def test_what_waits_for_a_moment_is_not_looked_through() -> None:
    gc.set_threshold(700)
    gc.enable()
    Garbage(lambda: 0)
    looked = gc.get_stats()[0]["collections"]
    waiting = [(number, []) for number in range(2000)]
    assert gc.get_stats()[0]["collections"] <= looked + 1
    del waiting


def test_it_is_looked_again_after_a_failure() -> None:
    with pytest.raises(ValueError, match="no"), Garbage(lambda: 0).unsought(MANY_OBJECTS):
        raise ValueError("no")
    assert gc.isenabled()


def test_what_is_kept_in_the_middle_of_a_large_change_does_not_end_it() -> None:
    garbage = Garbage(lambda: 0)
    with garbage.unsought(MANY_OBJECTS):
        garbage.keep()
        assert not gc.isenabled()
    assert gc.isenabled()


class Ring:
    """Refers to itself, as a connection and its transport do."""

    alive = 0

    def __init__(self) -> None:
        self.me = self
        Ring.alive += 1

    def __del__(self) -> None:
        Ring.alive -= 1


def test_what_was_put_aside_with_clients_is_looked_at_after_so_many() -> None:
    garbage = Garbage(lambda: MOST_CLIENTS // 2)
    ring = Ring()
    garbage.keep()
    del ring
    garbage.keep()
    gc.collect()
    assert Ring.alive == 1
    garbage.keep()
    assert Ring.alive == 0
