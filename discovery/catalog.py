"""The Catalog: which endpoints stand behind each Service port, as a sequence of immutable snapshots.

It is the second frozen hand-off (written, *existing*, compiled, live).  Sources and platforms put their
current word in; the catalog publishes a new `Snapshot` whenever the outcome differs.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from config.meta import Named
from discovery.endpoint import Endpoint

PortEndpoints = Mapping[str, tuple[Endpoint, ...]]
"""Service port (its name, else its number as text) to all of its endpoints, ready or not."""


class Snapshot(msgspec.Struct, frozen=True):
    """What exists at one moment.  A Service that did not change keeps the same `PortEndpoints` object."""

    generation: int = 0
    services: Mapping[Named, PortEndpoints] = {}
    changed: frozenset[Named] = frozenset()
    """Services that differ from the generation before this one."""
