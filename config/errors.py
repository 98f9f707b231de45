"""What was wrong, where, and what to do: the faults of manifests, as values.

A fault never stops the reading: all of them are collected and reported together.  Only errors disable an
object; warnings and notices let it pass.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from config.meta import ObjectKey, Source

Severity = Literal["error", "warning", "notice"]


class Fault(msgspec.Struct, frozen=True):
    """One finding; prints as ``FILE:LINE:COL: KIND/NS/NAME: PATH: message``."""

    severity: Severity
    source: Source
    message: str
    object: ObjectKey | None = None
    path: str = ""
    """Of the field, as in ``spec.ports[0].targetPort``."""

    def __str__(self) -> str:
        parts = [str(self.source), str(self.object) if self.object else "", self.path, self.message]
        return ": ".join(part for part in parts if part)
