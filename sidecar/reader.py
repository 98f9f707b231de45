"""What the helper process of a run does: read the manifests, keep what was good, give out the addresses.

All that takes long, or writes to disks, happens here, beside the traffic; the parent gets objects (`config.aside`).
Not imported where traffic is carried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from config.configset import ConfigSet, Loaded
from config.errors import Fault
from config.frames import answer
from config.loader import load
from config.meta import Source
from discovery.allocation import allocate
from discovery.assignments import Assignments, load_assignments, save_assignments
from discovery.platforms.making import known
from sidecar.last_good import keep, load_last_good, store_last_good, without_objects
from sidecar.settling import refused, settle
from sidecar.state import FOUND

ASSIGNMENTS = "assignments.json"
RECEIVED = Path("channel", "manifests.json")
"""What came by the channel: a node's own manifests stand where these say the same objects."""


def main(arguments: Sequence[str]) -> None:
    """The helper; its arguments are the state folder and the paths."""
    state, *paths = map(Path, arguments)
    answer(lambda: read(paths, state))


class Decided(NamedTuple):
    """What is to be in force, and what of it the state folder is to remember."""

    loaded: Loaded
    """With all addresses."""
    good: ConfigSet
    """As it is written, for the next time that something is wrong."""
    assignments: Assignments
    remembered: Assignments
    """Those of before."""
    given: Sequence[Path]
    """The paths that are not the state folder's own."""


def read(paths: Sequence[Path], state: Path) -> Loaded:
    """All objects that can be in force, with their addresses, and all faults; the state folder remembers them."""
    decided = decide(paths, state)
    faults = tuple(_remember(state, decided))
    return replace(decided.loaded, faults=(*decided.loaded.faults, *faults))


def decide(paths: Sequence[Path], state: Path) -> Decided:
    """What a start with this state folder would have in force; nothing is written."""
    beneath = frozenset({str(state / RECEIVED), str(state / FOUND)})
    given = [path for path in paths if str(path) not in beneath]
    good = load_last_good(state, given)
    remembered, forgotten = load_assignments(state / ASSIGNMENTS)
    # What is stored at a registry is judged there, so that all nodes that it goes to agree.
    own = without_objects(good, [key for key, source in good.sources.items() if source.file in beneath])
    before = allocate(own, remembered).config_set
    loaded = keep(load(paths, beneath, platforms=known(), before=before), good)
    loaded, allocated = settle(loaded, good, before, remembered, beneath)
    lost = refused(allocated.faults)
    mistaken = any(fault.severity == "error" for fault in (*loaded.faults, *forgotten))
    # A Service that is written wrongly today still has its address when it is mended.
    assignments = allocated.assignments.keeping(remembered) if mistaken else allocated.assignments
    left_out = [key for key in lost if allocated.config_set.get(key) is None]
    in_force = without_objects(allocated.config_set, left_out) if left_out else allocated.config_set
    kept = tuple(key for key in loaded.kept if key not in left_out)
    stays = without_objects(loaded.config_set, lost)
    return Decided(Loaded(in_force, (*loaded.faults, *forgotten), kept), stays, assignments, remembered, given)


def _remember(state: Path, decided: Decided) -> Iterator[Fault]:
    """Write to the state folder what must outlive this run; what fails is said, and stops nothing."""
    try:
        if decided.assignments != decided.remembered:
            save_assignments(state / ASSIGNMENTS, decided.assignments)
        store_last_good(state, decided.given, decided.good)
    except OSError as error:
        why = f"the state folder {state} cannot be written ({error.strerror}): after a restart addresses may differ"
        yield Fault("error", Source(str(state), 1, 1), why)
