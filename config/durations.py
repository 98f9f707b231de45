"""Durations as Go writes them: ``300ms``, ``1s``, ``1m30s``, ``1.5h``; ``0`` needs no unit (time.ParseDuration)."""

from __future__ import annotations

import re

from config.naming import shown

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"\+?(?:{_PART.pattern}){{1,16}}")
_ZERO = re.compile(r"[-+]?0")


def parse_duration(text: str) -> float:
    """Seconds.  Raises ValueError with a sentence that says what would be right."""
    if _ZERO.fullmatch(text):
        return 0.0
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"{shown(text)} is not a duration, such as 300ms, 1s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
