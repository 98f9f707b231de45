"""Who may have what it asks for, once objects of before stand beside new ones: who had it keeps it.

What loses stays in its last good version, which may in turn be what another new object counted on; so this goes on
until all agree.  Each object goes back once at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import count
from typing import NamedTuple

from msgspec.structs import replace

from config.configset import ConfigSet, Loaded
from config.errors import Fault
from config.meta import ObjectKey
from config.validation.conflicts import service_conflicts
from discovery.allocation import Allocated, allocate
from discovery.assignments import Assignments
from sidecar.last_good import with_objects, without_objects

MOST_STEPS = 20
"""A longer row of Services that each want what the next one has ends with all of them as they were."""


class Settled(NamedTuple):
    loaded: Loaded
    """Its faults are all that there are."""
    allocated: Allocated


def settle(
    loaded: Loaded, good: ConfigSet, before: ConfigSet, remembered: Assignments, beneath: Collection[str] = ()
) -> Settled:
    """Give out the addresses of `loaded`, which has kept objects of `good`.

    `before`: what was in force, with all addresses; `beneath`: the files whose Services give way to others: those of
    them that were kept do so without a word.
    """
    faults = loaded.faults
    for steps in count():
        clashes = service_conflicts(loaded.config_set, beneath, before) if loaded.kept else ()
        lost = refused(clashes)
        silent = {key for key in lost.intersection(loaded.kept) if loaded.config_set.sources[key].file in beneath}
        allocated = allocate(
            without_objects(loaded.config_set, lost) if lost else loaded.config_set, remembered, before
        )
        told = (*(fault for fault in clashes if fault.object not in silent), *allocated.faults)
        known = set(faults)
        faults = (*faults, *(fault for fault in told if fault not in known))
        older = _still_good(refused(told), loaded.config_set, good)
        if not older:
            break
        if steps >= MOST_STEPS:
            services = [key for key in loaded.config_set.sources if key.kind == "Service"]
            older = _still_good(services, loaded.config_set, good)
        changed = with_objects(loaded.config_set, good, older)
        loaded = replace(loaded, config_set=changed, kept=(*loaded.kept, *older))
    return Settled(_without(loaded, lost, faults), allocated)


def refused(faults: Iterable[Fault]) -> set[ObjectKey]:
    """The objects that have errors."""
    return {fault.object for fault in faults if fault.severity == "error" and fault.object is not None}


def _without(loaded: Loaded, lost: Collection[ObjectKey], faults: Sequence[Fault]) -> Loaded:
    config_set = without_objects(loaded.config_set, lost) if lost else loaded.config_set
    return Loaded(config_set, tuple(faults), tuple(key for key in loaded.kept if key not in lost))


def _still_good(lost: Iterable[ObjectKey], config_set: ConfigSet, good: ConfigSet) -> list[ObjectKey]:
    """Those of which there was another version before."""
    return [key for key in sorted(lost) if good.get(key) not in (None, config_set.get(key))]
