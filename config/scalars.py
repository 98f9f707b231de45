"""What a plain YAML scalar stands for, by the rules of kubectl (YAML 1.1 as sigs.k8s.io/yaml reads it).

``yes``, ``on`` and ``y`` are booleans there, ``010`` is 8, ``1_000`` is 1000, and a timestamp stays text.
Quoted scalars are always text and never come here.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
STARTS = _NUMBER_STARTS | {word[:1] for word in _WORDS}
"""A plain scalar that starts with none of these is text."""
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]{1,32}|0[bB][01]{1,128}|0[oO]?[0-7]{1,43}|[1-9][0-9]{0,38}|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BARE_OCTAL = re.compile(r"([-+]?)0([0-7]+)")


def resolve(text: str) -> Scalar:
    """The value of a plain scalar: null, a boolean, a number, or the text itself."""
    if text[:1] not in STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in _NUMBER_STARTS else text


def _number(text: str) -> Scalar:
    plain = text.replace("_", "")
    if _INTEGER.fullmatch(plain):
        return int(_BARE_OCTAL.sub(r"\g<1>0o\2", plain) if _BARE_OCTAL.fullmatch(plain) else plain, 0)
    if _FLOAT.fullmatch(plain):
        return float(plain)
    return text
