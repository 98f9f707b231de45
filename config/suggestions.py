"""The nearest right spelling of a wrong word: one way to suggest it, for fields, kinds, names and keys."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

LONGEST = 253
"""Longer words are compared with nothing: no name is longer, and comparing takes its time."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """``; did you mean "x"?`` with the nearest of `known`, letters' case aside; else empty."""
    near = nearest(wrong, known)
    return f'; did you mean "{near}"?' if near else ""


def nearest(wrong: str, known: Iterable[str]) -> str:
    """The nearest of `known`, letters' case aside; empty when none is near."""
    return _nearest(wrong, tuple(known)) if len(wrong) <= LONGEST else ""


@lru_cache(4096)
def _nearest(wrong: str, known: tuple[str, ...]) -> str:
    by_lower = {word.lower(): word for word in reversed(known)}
    near = get_close_matches(wrong.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else ""
