"""The last good version of every object, kept in the state folder, so that a mistake takes nothing out of force.

An object is gone only when its file parses without it.  So what is missing from a load stays if its own text is
faulty, or if it cannot be told what its file says; a file that is no longer there says nothing any more, unless
it was given by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from config.configset import KINDS, ConfigSet, Loaded
from config.errors import Fault
from config.meta import ObjectKey, Source
from discovery.assignments import replace_whole

NAME = "last-good.msgpack"
LARGEST_FILE = 256 * 1024 * 1024


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    origin: list[str]
    """The paths that were given: another project's objects do not stand in for this one's."""
    objects: list[tuple[ObjectKey, Source, msgspec.Raw]]


def load_last_good(folder: Path, paths: Sequence[Path]) -> ConfigSet:
    """What was stored for these `paths`; nothing if that was never, or cannot be read any more."""
    try:
        if (folder / NAME).stat().st_size > LARGEST_FILE:
            return ConfigSet()
        stored = msgspec.msgpack.decode((folder / NAME).read_bytes(), type=_Stored)
    except (OSError, msgspec.DecodeError):
        return ConfigSet()
    return ConfigSet.of(_decoded(stored.objects)) if stored.origin == _origin(paths) else ConfigSet()


def _decoded(objects: Iterable[tuple[ObjectKey, Source, msgspec.Raw]]) -> Iterable[tuple[ObjectKey, Source, Any]]:
    for key, source, raw in objects:
        try:
            yield key, source, msgspec.msgpack.decode(raw, type=KINDS[key.kind])
        except (KeyError, msgspec.DecodeError):  # stored by another version, which knew it differently
            continue


def store_last_good(folder: Path, paths: Sequence[Path], config_set: ConfigSet) -> None:
    """Remember `config_set`, if that is new; raises OSError."""
    objects = [(key, source, config_set.get(key)) for key, source in config_set.sources.items()]
    content = msgspec.msgpack.encode((_origin(paths), objects))
    try:
        if (folder / NAME).read_bytes() == content:
            return
    except OSError:
        pass  # there is none yet
    replace_whole(folder / NAME, content)


def _origin(paths: Sequence[Path]) -> list[str]:
    return [os.path.abspath(path) for path in paths]


def keep(loaded: Loaded, before: ConfigSet) -> Loaded:
    """`loaded`, with the objects of `before` that it lacks only because of errors."""
    errors = [fault for fault in loaded.faults if fault.disables]
    faulty = {_slot(fault.object) for fault in errors if fault.object is not None}
    present = {_slot(key) for key in loaded.config_set.sources}
    unclear = {fault.source.file for fault in errors if _is_unclear(fault)}
    kept = tuple(
        key
        for key, source in before.sources.items()
        if _slot(key) not in present and (_slot(key) in faulty or _is_beneath(source.file, unclear))
    )
    if not kept:
        return loaded
    return msgspec.structs.replace(loaded, config_set=with_objects(loaded.config_set, before, kept), kept=kept)


def with_objects(config_set: ConfigSet, other: ConfigSet, keys: Iterable[ObjectKey]) -> ConfigSet:
    """`config_set`, with the objects of these `keys` as `other` has them."""
    origins = dict.fromkeys(config_set.sources, config_set) | dict.fromkeys(keys, other)
    return ConfigSet.of((key, origin.sources[key], origin.get(key)) for key, origin in origins.items())


def without_objects(config_set: ConfigSet, keys: Iterable[ObjectKey]) -> ConfigSet:
    """`config_set` without the objects of these `keys`."""
    left = config_set.sources.keys() - set(keys)
    return ConfigSet.of((key, source, config_set.get(key)) for key, source in config_set.sources.items() if key in left)


def _slot(key: ObjectKey) -> ObjectKey:
    """What two versions of an object have in common: a node has one NodeConfig, whatever its name is."""
    return key._replace(name="") if key.kind == "NodeConfig" else key


def _is_unclear(fault: Fault) -> bool:
    """Whether it cannot be told which objects the faulty text was about."""
    key = fault.object
    return key is None or key.kind not in KINDS or not (key.name or key.kind == "NodeConfig")


def _is_beneath(file: str, unclear: set[str]) -> bool:
    return file in unclear or not unclear.isdisjoint(map(str, Path(file).parents))
