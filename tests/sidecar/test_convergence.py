"""When a change counts, from when, and where it is found in the histogram."""

from __future__ import annotations

import pytest

from mesh.exposition import render
from sidecar.convergence import BOUNDS, NAME, Convergence


def lines(made: Convergence) -> dict[str, float]:
    text = b"".join(render(made.families())).decode()
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if not line.startswith("#")}


def test_from_the_first_change_to_the_table_that_holds_it() -> None:
    made = Convergence()
    made.learned(100.0)
    made.learned(100.3)
    since = made.taken()
    made.learned(100.4)
    made.published(since, 100.5)
    assert lines(made)[f"{NAME}_sum"] == pytest.approx(0.5)
    made.published(made.taken(), 101.4)
    assert lines(made)[f"{NAME}_sum"] == pytest.approx(1.5)
    assert lines(made)[f"{NAME}_count"] == 2


def test_a_table_without_a_change_does_not_count() -> None:
    made = Convergence()
    made.published(made.taken(), 1.0)
    assert lines(made)[f"{NAME}_count"] == 0


@pytest.mark.parametrize(("seconds", "bound"), [(0.0, "0.001"), (0.01, "0.01"), (0.011, "0.025"), (11.0, "+Inf")])
def test_buckets_are_cumulative_and_end_with_the_count(seconds: float, bound: str) -> None:
    made = Convergence()
    made.learned(0.0)
    made.published(made.taken(), seconds)
    found = lines(made)
    names = [*map(str, BOUNDS), "+Inf"]
    buckets = [found[f'{NAME}_bucket{{le="{name}"}}'] for name in names]
    assert buckets == [0] * names.index(bound) + [1] * (len(names) - names.index(bound))
    assert buckets[-1] == found[f"{NAME}_count"]
