"""What is in force beside what manifests would bring, both as plain data in which secrets are but fingerprints.

A reload keeps an object that has errors as it is, and whatever stood in a file that cannot be read; so does this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from config.configset import ConfigSet, Loaded
from config.errors import Fault
from config.loader import load
from config.meta import ObjectKey, Source
from discovery.assignments import Assignments, load_assignments
from discovery.platforms.making import known
from sidecar.claims import claiming
from sidecar.fingerprints import noted_fingerprints
from sidecar.last_good import with_objects
from sidecar.objects import key_of
from sidecar.redaction import Hide, hidden, maker_of, shown
from sidecar.settling import settle

Objects = Mapping[ObjectKey, Mapping[str, Any]]


class Comparison(NamedTuple):
    before: Objects
    after: Objects
    faults: tuple[Fault, ...]
    """Errors in the manifests."""
    kept: tuple[ObjectKey, ...]
    """Objects that stay as they are, because what is written of them cannot be used."""
    secrets_compared: bool


def compare(listed: Sequence[Mapping[str, Any]], paths: Sequence[Path], state: Path) -> Comparison:
    """`listed` are the objects of ``/api/v1/config``; `state` is the folder of the weft that listed them."""
    before = {key_of(item): item["object"] for item in listed}
    places = {key_of(item): item["source"] for item in listed}
    running = claiming((key, _source(places[key]), item) for key, item in before.items())
    loaded = load(paths, platforms=known(), before=running)
    stay = [key for key in before if key not in loaded.config_set.sources and _kept(key, places[key], loaded.faults)]
    loaded = _with_services(loaded, running, stay)
    settled, allocated = settle(loaded, running, running, _assigned(state / "assignments.json", before))
    faults = tuple(fault for fault in settled.faults if fault.severity == "error")
    hide = _fingerprints(state, before)
    config_set = allocated.config_set
    after = {key: shown(config_set.get(key), hide) for key in config_set.sources if config_set.get(key) is not None}
    kept = tuple(key for key in before if key in settled.kept or (key not in after and key in stay))
    return Comparison(before, after | {key: before[key] for key in kept}, faults, kept, hide is not hidden)


def _source(place: str) -> Source:
    file, line, column = place.rsplit(":", 2)
    return Source(file, int(line), int(column))


def _with_services(loaded: Loaded, running: ConfigSet, stay: Sequence[ObjectKey]) -> Loaded:
    """With what stays and may stand in the way of what is new."""
    services = tuple(key for key in stay if key.kind == "Service" and key in running.sources)
    return replace(loaded, config_set=with_objects(loaded.config_set, running, services), kept=services)


def _fingerprints(state: Path, before: Objects) -> Hide:
    """Those of `state`, unless another weft than the one of this folder has listed the objects."""
    hide = noted_fingerprints(state)
    theirs = maker_of(json.dumps(list(before.values())))
    return hide if theirs in ("", maker_of(hide(""))) else hidden


def _kept(key: ObjectKey, place: str, faults: Sequence[Fault]) -> bool:
    """Whether something is wrong with what is written of it, or with the file where it stood."""
    file = place.rsplit(":", 2)[0]
    return any(
        fault.object == key or (fault.object is None and Path(fault.source.file).name == Path(file).name)
        for fault in faults
        if fault.severity == "error"
    )


def _assigned(path: Path, before: Objects) -> Assignments:
    """What addresses Services have: as the weft's objects show, those that it does not list as its folder remembers."""
    remembered, _ = load_assignments(path)
    services = {key: item["spec"] for key, item in before.items() if key.kind == "Service" and "spec" in item}
    addresses = {
        f"{key.namespace}/{key.name}": spec["clusterIP"]
        for key, spec in services.items()
        if spec.get("clusterIP") not in (None, "", "None")
    }
    ports = {
        f"{key.namespace}/{key.name}/{port.get('protocol', 'TCP')}/{port.get('name') or port['port']}": port["nodePort"]
        for key, spec in services.items()
        for port in spec.get("ports", ())
        if port.get("nodePort")
    }
    return Assignments(remembered.cluster_ips | addresses, remembered.node_ports | ports)
