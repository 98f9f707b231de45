"""What the helper process of a run does: read the manifests, keep what was good, give out the addresses.

All that takes long, or writes to disks, happens here, beside the traffic; the parent gets objects (`config.aside`).
Imported by the helper only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from config.configset import ConfigSet, Loaded
from config.errors import Fault
from config.frames import answer
from config.loader import load
from config.meta import ObjectKey, Source
from config.validation.conflicts import displaced
from discovery.allocation import allocate
from discovery.assignments import Assignments, load_assignments, save_assignments
from discovery.platforms.making import names
from sidecar.last_good import keep, load_last_good, store_last_good, with_objects, without_objects
from sidecar.state import FOUND

ASSIGNMENTS = "assignments.json"
RECEIVED = Path("channel", "manifests.json")
"""What came by the channel: a node's own manifests stand where these say the same objects."""


def main(arguments: Sequence[str]) -> None:
    """The helper; its arguments are the state folder and the paths."""
    state, *paths = map(Path, arguments)
    answer(lambda: read(paths, state))


def read(paths: Sequence[Path], state: Path) -> Loaded:
    """All objects that can be in force, with their addresses, and all faults."""
    before = load_last_good(state, paths)
    remembered, forgotten = load_assignments(state / ASSIGNMENTS)
    beneath = frozenset({str(state / RECEIVED), str(state / FOUND)})
    loaded = keep(load(paths, beneath, platforms=names()), before)
    if away := displaced(loaded.config_set, beneath).intersection(loaded.kept):
        left = without_objects(loaded.config_set, away)
        kept = tuple(key for key in loaded.kept if key not in away)
        loaded = msgspec.structs.replace(loaded, config_set=left, kept=kept)
    allocated = allocate(loaded.config_set, remembered)
    faults = [*loaded.faults, *forgotten, *allocated.faults]
    if older := _still_good(allocated.faults, loaded.config_set, before):
        changed = with_objects(loaded.config_set, before, older)
        loaded = msgspec.structs.replace(loaded, config_set=changed, kept=(*loaded.kept, *older))
        allocated = allocate(changed, remembered)
        faults += [fault for fault in allocated.faults if fault not in faults]
    refused = _refused(allocated.faults)
    mistaken = any(fault.severity == "error" for fault in faults)
    # A Service that is written wrongly today still has its address when it is mended.
    assignments = allocated.assignments.keeping(remembered) if mistaken else allocated.assignments
    faults += _remember(state, paths, without_objects(loaded.config_set, refused), assignments, remembered)
    left_out = [key for key in refused if allocated.config_set.get(key) is None]
    in_force = without_objects(allocated.config_set, left_out) if left_out else allocated.config_set
    return Loaded(in_force, tuple(faults), tuple(key for key in loaded.kept if key not in left_out))


def _refused(faults: Sequence[Fault]) -> set[ObjectKey]:
    return {fault.object for fault in faults if fault.severity == "error" and fault.object is not None}


def _still_good(faults: Sequence[Fault], config_set: ConfigSet, before: ConfigSet) -> list[ObjectKey]:
    """The objects that were refused, and of which there was another version before."""
    return [key for key in sorted(_refused(faults)) if before.get(key) not in (None, config_set.get(key))]


def _remember(
    state: Path, paths: Sequence[Path], config_set: ConfigSet, assignments: Assignments, remembered: Assignments
) -> Iterator[Fault]:
    """Write to the state folder what must outlive this run; what fails is said, and stops nothing."""
    try:
        if assignments != remembered:
            save_assignments(state / ASSIGNMENTS, assignments)
        store_last_good(state, paths, config_set)
    except OSError as error:
        why = f"the state folder {state} cannot be written ({error.strerror}): after a restart addresses may differ"
        yield Fault("error", Source(str(state), 1, 1), why)
