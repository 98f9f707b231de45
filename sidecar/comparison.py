"""What is in force beside what manifests would bring, both as plain data in which secrets are but fingerprints.

A reload keeps an object that has errors as it is, and whatever stood in a file that cannot be read; so does this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from config.errors import Fault
from config.loader import load
from config.meta import ObjectKey
from discovery.allocation import allocate
from discovery.assignments import Assignments, load_assignments
from discovery.platforms.making import names
from sidecar.fingerprints import noted_fingerprints
from sidecar.objects import key_of
from sidecar.redaction import Hide, hidden, maker_of, shown

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
    loaded = load(paths, platforms=names())
    before = {key_of(item): item["object"] for item in listed}
    allocated = allocate(loaded.config_set, _assigned(state / "assignments.json", before))
    faults = tuple(fault for fault in (*loaded.faults, *allocated.faults) if fault.severity == "error")
    hide = _fingerprints(state, before)
    config_set = allocated.config_set
    after = {key: shown(config_set.get(key), hide) for key in config_set.sources if config_set.get(key) is not None}
    places = {key_of(item): item["source"] for item in listed}
    kept = tuple(key for key in before if key not in after and _kept(key, places[key], faults))
    return Comparison(before, after | {key: before[key] for key in kept}, faults, kept, hide is not hidden)


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
