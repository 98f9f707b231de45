"""Slow start: an endpoint that begins to be used grows to its full share, so that cold caches are not flooded.

Weights are whole numbers, so while one of them grows all are multiplied by a hundred.  Where all endpoints
are equally new, all have the same part of their weight, which changes nothing.
"""

from __future__ import annotations

from config.balancing import SlowStartPolicy

SCALE = 100
_STEPS = 20
"""Times that a weight is renewed while it grows."""


def share(age: float, policy: SlowStartPolicy) -> float:
    """The part of its weight, up to 1, that an endpoint has which has been in use for `age` seconds."""
    if age >= policy.window:
        return 1.0
    grown = (max(age, 0.0) / policy.window) ** (1 / policy.aggression)
    return float(max(grown, policy.least_percent / 100))


def weight(full: int, age: float, policy: SlowStartPolicy) -> int:
    """`SCALE` times the weight that it has at `age` seconds; 0 stays 0, and what is not 0 never becomes it."""
    return max(round(full * SCALE * share(age, policy)), 1) if full else 0


def step(policy: SlowStartPolicy) -> float:
    """Seconds between two renewals of the weights."""
    return max(policy.window / _STEPS, 0.5)
