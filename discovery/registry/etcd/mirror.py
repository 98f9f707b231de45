"""What is known here of the zones in etcd, from lists of keys and from the events of a watch, without I/O.

The events of one revision belong together, and become one `Arrival` of each zone that they touch.  What the zones
contain is the followers' to keep; the mirror keeps leases, by which it sees what of them differs, and revisions.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from discovery.registry.content import SERIALS, Node, records
from discovery.registry.etcd.client import Json
from discovery.registry.etcd.values import Held, Keys, Terms, keepers, unpack
from discovery.registry.store import Arrival, RecordKey, Stored, StoreError, Term, key_of, part


class Listing:
    """A zone as it is listed, key by key."""

    def __init__(self) -> None:
        self.content = 0
        """The revision of its last change, or 0: there is no such zone yet."""
        self.terms = 0
        self.names: dict[bytes, Held] = {}

    def stored(self) -> Stored:
        """All of it."""
        terms: dict[Term, dict[bytes, Node]] = {}
        for name, held in self.names.items():
            places: dict[Term, list[int]] = {}
            for place, key in enumerate(map(key_of, records(name, held.node)) if held.terms else ()):
                if key in held.terms:
                    places.setdefault(held.terms[key], []).append(place)
            for term, found in places.items():
                terms.setdefault(term, {})[name] = part(held.node, found)
        return Stored(self.content % SERIALS, {name: held.node for name, held in self.names.items()}, terms)


class Zone:
    """One zone of the mirror."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.content = 0
        self.terms = 0
        self.held: dict[bytes, Terms] = {}
        """The leases, by name."""

    def adopt(self, listing: Listing) -> Arrival:
        """It is as it was listed."""
        self.content, self.terms = listing.content, listing.terms
        differing: dict[RecordKey, Term | None] = {}
        before, self.held = self.held, {}
        for name, (node, terms) in listing.names.items():
            differing.update(_differing(name, node, before.get(name, {}), terms))
            if terms:
                self.held[name] = terms
        nodes = {name: held.node for name, held in listing.names.items()}
        return Arrival(self.content % SERIALS, nodes, differing, is_whole=True)

    def change(self, names: Mapping[bytes, Held], is_own: bool) -> Arrival:
        """These names are others now."""
        differing: dict[RecordKey, Term | None] = {}
        for name, (node, terms) in names.items():
            differing.update(_differing(name, node, self.held.get(name, {}), terms))
            if terms:
                self.held[name] = terms
            else:
                self.held.pop(name, None)
        return Arrival(
            self.content % SERIALS, {name: held.node for name, held in names.items()}, differing, is_own=is_own
        )


class Told(NamedTuple):
    """What one revision, or a list, said."""

    arrivals: dict[bytes, Arrival]
    keepers: frozenset[bytes] | None
    """The registries that are there, if that changed."""
    own: frozenset[bytes] = frozenset()
    """The marks of changes that this registry made."""


class Mirror:
    """All zones, and the registries."""

    def __init__(self, prefix: bytes, origins: Iterable[bytes]) -> None:
        self.zones = {origin: Zone(Keys(prefix, origin)) for origin in origins}
        self.keepers: frozenset[bytes] = frozenset()
        self.revision = 0
        """Everything up to this is in the mirror."""
        self._keepers_at = keepers(prefix)

    def read(self, kvs: Iterable[Json], zones: Mapping[bytes, Listing], there: set[bytes]) -> None:
        """Add keys to a list.  Raises `StoreError` for what is none of ours."""
        for kv in kvs:
            key = b64decode(kv["key"])
            if key.startswith(self._keepers_at):
                there.add(key[len(self._keepers_at) :])
            for origin, zone in self.zones.items():
                if key == zone.keys.content:
                    zones[origin].content = int(kv["mod_revision"])
                elif key == zone.keys.terms:
                    zones[origin].terms = int(kv["mod_revision"])
                elif key.startswith(zone.keys.names):
                    name = key[len(zone.keys.names) :]
                    zones[origin].names[name] = _held(name, kv)

    def adopt(self, zones: Mapping[bytes, Listing], there: Iterable[bytes], revision: int) -> Told:
        """Everything is as it was listed at `revision`."""
        self.revision = revision
        self.keepers = frozenset(there)
        return Told({origin: self.zones[origin].adopt(listing) for origin, listing in zones.items()}, self.keepers)

    def take(self, events: Iterable[Json], own: Collection[bytes]) -> Iterator[Told]:
        """What a watch says, revision by revision; `own`: what this registry writes into the changes that it makes."""
        for revision, together in groupby(events, lambda event: int(event["kv"]["mod_revision"])):
            told = self._take(list(together), own)
            self.revision = revision
            yield told

    def _take(self, events: list[Json], own: Collection[bytes]) -> Told:
        there = set(self.keepers)
        touched: dict[bytes, dict[bytes, Held]] = {}
        ours: dict[bytes, bytes] = {}
        for event in events:
            kv, is_gone = event["kv"], event.get("type") == "DELETE"
            key = b64decode(kv["key"])
            if key.startswith(self._keepers_at):
                keeper = key[len(self._keepers_at) :]
                (there.discard if is_gone else there.add)(keeper)
            for origin, zone in self.zones.items():
                if key.startswith(zone.keys.all):
                    names = touched.setdefault(origin, {})
                    if _touch(zone, key, kv, names, is_gone) and (mark := b64decode(kv.get("value", ""))) in own:
                        ours[origin] = mark
        arrivals = {origin: self.zones[origin].change(names, origin in ours) for origin, names in touched.items()}
        has_changed = there != self.keepers
        self.keepers = frozenset(there)
        return Told(arrivals, self.keepers if has_changed else None, frozenset(ours.values()))


def _touch(zone: Zone, key: bytes, kv: Json, names: dict[bytes, Held], is_gone: bool) -> bool:
    """A key of `zone` has changed; whether it is the one that tells whose change it was."""
    if key == zone.keys.content:
        zone.content = int(kv["mod_revision"])
    elif key == zone.keys.terms:
        zone.terms = int(kv["mod_revision"])
    elif key.startswith(zone.keys.names):
        name = key[len(zone.keys.names) :]
        names[name] = Held((), {}) if is_gone else _held(name, kv)
        return False
    return True


def _held(name: bytes, kv: Json) -> Held:
    try:
        return unpack(name, b64decode(kv.get("value", "")))
    except ValueError as error:
        raise StoreError(f"etcd: the value of {b64decode(kv['key'])!r} is none of weft's: {error}") from None


def _differing(name: bytes, node: Node, before: Terms, after: Terms) -> dict[RecordKey, Term | None]:
    """The terms that are not what they were, of records that are there."""
    differing: dict[RecordKey, Term | None] = {key: term for key, term in after.items() if before.get(key) != term}
    lost = before.keys() - after.keys()
    if lost:
        differing.update((key, None) for key in map(key_of, records(name, node)) if key in lost)
    return differing
