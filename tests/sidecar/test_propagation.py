"""From a NOTIFY to the table in force: what counts, and what does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sidecar.propagation import MOST, NAME, Propagation


def counted(made: Propagation) -> tuple[float, float]:
    """How many, and the sum of their seconds."""
    (family,) = made.families()
    found = {sample.name: sample.value for sample in family.samples}
    return found[f"{NAME}_count"], round(found[f"{NAME}_sum"], 6)


def plain(made: Propagation) -> None:
    made.heard(7, 1.0)
    made.copied(7, 3)
    made.in_force(3, 1.25)


def joined(made: Propagation) -> None:
    made.heard(7, 1.0)
    made.heard(8, 1.1)
    made.copied(8, 3)
    made.in_force(3, 1.25)


def two_copies_in_one_table(made: Propagation) -> None:
    made.heard(7, 1.0)
    made.copied(7, 3)
    made.heard(8, 1.1)
    made.copied(8, 4)
    made.in_force(4, 1.25)


def one_after_the_other(made: Propagation) -> None:
    made.heard(7, 1.0)
    made.heard(8, 1.1)
    made.copied(7, 3)
    made.in_force(3, 1.25)
    made.copied(8, 4)
    made.in_force(4, 1.35)


def without_a_notify(made: Propagation) -> None:
    made.copied(7, 3)
    made.in_force(3, 9.0)


def nothing_that_concerns_us(made: Propagation) -> None:
    made.in_force(3, 0.0)
    made.heard(7, 1.0)
    made.copied(7, 3)
    made.in_force(4, 9.0)


def round_the_end_of_all_serials(made: Propagation) -> None:
    made.heard(2**32 - 1, 1.0)
    made.copied(1, 3)
    made.in_force(3, 1.25)


WHAT_COUNTS: dict[str, tuple[Callable[[Propagation], None], tuple[float, float]]] = {
    "a change": (plain, (1, 0.25)),
    "changes that are copied together": (joined, (1, 0.25)),
    "changes of one table": (two_copies_in_one_table, (1, 0.25)),
    "changes of two tables": (one_after_the_other, (2, 0.5)),
    "no change without a NOTIFY": (without_a_notify, (0, 0.0)),
    "no change of other things": (nothing_that_concerns_us, (0, 0.0)),
    "a change at the end of all serials": (round_the_end_of_all_serials, (1, 0.25)),
}


@pytest.mark.parametrize(("happens", "outcome"), WHAT_COUNTS.values(), ids=WHAT_COUNTS)
def test_what_counts(happens: Callable[[Propagation], None], outcome: tuple[float, float]) -> None:
    made = Propagation()
    happens(made)
    assert counted(made) == outcome


def test_what_is_waited_for_is_bounded() -> None:
    made = Propagation()
    for serial in range(MOST + 5):
        made.heard(serial, float(serial))
    made.copied(MOST + 5, 1)
    made.in_force(1, MOST + 5.0)
    assert counted(made) == (1, MOST)
