"""Metric families of the process itself: which weft this is, and how reading the configuration went."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from mesh.exposition import Family, Sample
from sidecar import VERSION


class Reloads:
    """Counts how often the configuration was read, at start and later, and how that went."""

    def __init__(self) -> None:
        self._counts = {"success": 0, "failure": 0}
        self.successful = True
        """The last time."""
        self.at = 0.0
        """When it was read the last time, in Unix seconds."""
        self.looks = 0
        """How often it was looked whether the manifests changed, and what was found was in force at the end."""

    def read(self, successful: bool, at: float) -> None:
        """The configuration was read; not `successful`: at least one object was refused."""
        self._counts["success" if successful else "failure"] += 1
        self.successful = successful
        self.at = at

    def looked(self) -> None:
        """What the manifests said when the last look at them began is in force."""
        self.looks += 1

    def families(self) -> Iterator[Family]:
        name = "weft_config_reloads_total"
        yield Family(
            "weft_config_reloads",
            "counter",
            "Times that the configuration was read; failure: at least one object was refused.",
            [Sample(name, {"result": result}, count) for result, count in self._counts.items()],
        )
        name = "weft_config_last_reload_successful"
        yield Family(
            name, "gauge", "Whether every object was accepted the last time.", [Sample(name, {}, int(self.successful))]
        )
        name = "weft_config_last_reload_timestamp_seconds"
        yield Family(name, "gauge", "When the configuration was read the last time.", [Sample(name, {}, self.at)])


def build_info() -> Family:
    name = "weft_build_info"
    labels = {"version": VERSION, "python": ".".join(map(str, sys.version_info[:3]))}
    return Family(name, "gauge", "Which weft this is; always 1.", [Sample(name, labels, 1)])
