"""When requests are due: fixed before the first one leaves, and independent of all answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count


def evenly(rate: float) -> Iterator[float]:
    """Seconds after the start at which requests are due, `rate` of them a second, equally spaced."""
    return (number / rate for number in count())


def poisson(rate: float, rng: random.Random) -> Iterator[float]:
    """The same rate on average, but at random moments, as independent users arrive."""
    due = 0.0
    while True:
        due += rng.expovariate(rate)
        yield due
