"""What platforms of this process find, distributed to nodes beside what is stored: Services of a swarm.

It is not stored, since whoever finds it says it anew after each start; what is stored with the same name stands.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import msgspec

from config.configset import API_VERSIONS, ConfigSet
from config.encode import encode
from config.meta import ObjectKey
from config.resources.core import Service
from sidecar.channel.messages import Manifest
from sidecar.channel.shelf import Shelf
from sidecar.state import FOUND


class Found:
    """Keeps `shelf` told."""

    def __init__(self, state: Path, shelf: Shelf) -> None:
        self._file = str(state.resolve() / FOUND)
        self._shelf = shelf
        self.told: dict[ObjectKey, Manifest] = {}

    def put_in_force(self, config_set: ConfigSet, stored: Container[ObjectKey]) -> None:
        """This is in force here; `stored`: what is distributed anyway."""
        before, self.told = (
            self.told,
            {
                key: _manifest(key, config_set.get(key), self._file)
                for key, source in config_set.sources.items()
                if source.file == self._file and key not in stored
            },
        )
        put = [each for key, each in self.told.items() if before.get(key) != each or key not in self._shelf.stored]
        gone = [key for key in before if key not in self.told and key not in stored]
        if put or gone:
            self._shelf.change(put, gone)


def _manifest(key: ObjectKey, found: object, source: str) -> Manifest:
    """Without addresses, which each node gives out itself."""
    if isinstance(found, Service):
        bare = msgspec.structs.replace(found.spec, cluster_ip="", cluster_ips=())
        found = msgspec.structs.replace(found, spec=bare)
    plain = {"apiVersion": API_VERSIONS[key.kind], "kind": key.kind, **encode(found)}
    return Manifest(*key, source, msgspec.Raw(msgspec.json.encode(plain)))
