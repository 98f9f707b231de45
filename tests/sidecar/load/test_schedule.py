"""Due times depend on the rate alone."""

from __future__ import annotations

import random
from itertools import islice, pairwise

import pytest

from sidecar.load.schedule import evenly, poisson


def test_evenly_does_not_drift() -> None:
    due = list(islice(evenly(1000.0), 5001))
    assert due[0] == 0.0
    assert due[5000] == pytest.approx(5.0, abs=1e-9)


def test_poisson_keeps_the_rate_on_average() -> None:
    due = list(islice(poisson(1000.0, random.Random(1)), 20_000))
    assert due == sorted(due)
    assert due[-1] == pytest.approx(20.0, rel=0.03)


def test_poisson_gaps_vary() -> None:
    due = list(islice(poisson(1000.0, random.Random(1)), 1000))
    gaps = [b - a for a, b in pairwise(due)]
    assert max(gaps) > 3 * (sum(gaps) / len(gaps))
