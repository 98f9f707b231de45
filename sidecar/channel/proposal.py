"""A change of the stored manifests, as it is handed to the helper process that judges it."""

from __future__ import annotations

from typing import Final

import msgspec

from config.meta import ObjectKey, Source

STORED: Final = "stored "
"""How the place of a stored object begins, where a file has its name."""


class Proposal(msgspec.Struct, frozen=True, array_like=True):
    """What is stored, and what is to be stored instead."""

    node: str
    """The registry's own NodeConfig, for what rules depend on; empty: there is none."""
    stored: list[tuple[ObjectKey, str]]
    """As JSON."""
    new: list[tuple[str, str]]
    """Names and texts of files."""
    gone: list[ObjectKey]
    """What is to be stored no longer."""
    own: list[tuple[ObjectKey, Source, str]] = []
    """The Services of the registry's own files, as JSON."""
