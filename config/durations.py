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


def format_duration(seconds: float) -> str:
    """As people write it, to the nanosecond: ``300ms``, ``1m30s``, ``0s``; `seconds` is finite, 0 and more."""
    nanoseconds = round(seconds * 1e9)
    if 0 < nanoseconds < 10**9:
        return f"{_decimal(nanoseconds, 6)}ms"
    minutes, rest = divmod(nanoseconds, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{_decimal(rest, 9)}s" if rest else ""]
    return "".join(parts) or "0s"


def _decimal(number: int, places: int) -> str:
    """`number` divided by ten to the power of `places`."""
    whole, part = divmod(number, 10**places)
    return f"{whole}.{part:0{places}}".rstrip("0").rstrip(".")
