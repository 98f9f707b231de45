"""Kubernetes quantities: ``100m``, ``1.5``, ``128Mi``, ``2e3`` (apimachinery, resource.Quantity)."""

from __future__ import annotations

import re

from config.naming import shown

_FORM = re.compile(r"([+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30}))([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d{1,2})?")
_SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def parse_quantity(text: str) -> float:
    """The number that a quantity stands for, in units of its resource (cores, bytes, requests per second).

    Raises ValueError with a sentence that says what would be right.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is not a quantity, such as '250m', '0.5', '128Mi' or '2G'")
    number, suffix = found.groups(default="")
    if suffix in _SUFFIXES:
        return float(number) * _SUFFIXES[suffix]
    return float(number + suffix)
