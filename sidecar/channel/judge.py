"""What the helper process does that judges manifests before they are stored: all of them, with those that are.

They are accepted as a whole or not at all.  What counts against them is every error in themselves, and every error
that they would bring to objects that are stored; not what was wrong with these before.  What one of these has, or a
Service of the registry's own files, is taken; one with the same name stands beside it, since nodes get it, and with
the same address.  Services that leave their address open are given one, for good: so all nodes that have the
registry's range agree.  Imported by the helper only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from config.configset import ConfigSet, Loaded
from config.documents import parse
from config.errors import Fault, FaultList
from config.frames import answer
from config.loader import Reading
from config.meta import ObjectKey, Source
from config.resources.core import GIVEN, Service
from discovery.allocation import allocate
from discovery.assignments import Assignments
from discovery.platforms.making import known
from sidecar.channel.messages import LARGEST_OBJECT
from sidecar.channel.proposal import STORED, Proposal
from sidecar.claims import claiming

NODE: Final = "the registry's NodeConfig"
DEFAULT: Final = '{"apiVersion": "weft.dev/v1", "kind": "NodeConfig", "metadata": {"name": "default"}}'
"""In place of that: by which the new files are judged, and not by a NodeConfig among them."""
OWN: Final = "the registry's"
"""What stands before the names of its own files, for who stores something may have files that are called so."""
LARGEST: Final = LARGEST_OBJECT // 2
"""Bytes of one object: less than travels, since it may grow when it is completed."""


def main(arguments: Sequence[str]) -> None:
    """The helper; its argument is a file that holds a `Proposal` as msgpack."""
    answer(lambda: judge(msgspec.msgpack.decode(Path(arguments[0]).read_bytes(), type=Proposal)))


def judge(proposal: Proposal) -> Loaded:
    """The objects of the new files, and what speaks against storing them, or is worth a warning."""
    alone = _read(proposal.new)
    wanted = alone.config_set.sources.keys() | {fault.object for fault in alone.faults if fault.object}
    replaced = {*wanted, *proposal.gone}
    left = [_file(key, text) for key, text in proposal.stored if key not in replaced]
    node = [(NODE, proposal.node or DEFAULT)]
    written = _own_files(proposal, replaced - set(proposal.gone))
    files = {name for name, _ in proposal.new}
    beneath = files | {name for name, _ in left}
    given = Assignments(_given(proposal))
    in_force = allocate(replace(_in_force(proposal), node=_read(node).config_set.node), given).config_set
    whole = _read([*node, *written, *proposal.new, *left], beneath, in_force)
    own = [fault for fault in whole.faults if fault.source.file in files and not (_is_twice(fault) or _of_node(fault))]
    own += filter(_is_twice, alone.faults)
    others = [fault for fault in whole.faults if fault.source.file not in {*files, NODE} and fault.severity == "error"]
    if others:
        stored = [_file(key, text) for key, text in proposal.stored]
        before = _read([*_own_files(proposal, ()), *stored, *node], {name for name, _ in stored})
        known = {(fault.object, fault.path, fault.message) for fault in before.faults}
        others = [fault for fault in others if (fault.object, fault.path, fault.message) not in known]
    allocated = allocate(whole.config_set, given, in_force)
    own += [fault for fault in allocated.faults if fault.source.file in files]
    objects = [
        (key, source, _addressed(key, whole.config_set.get(key), allocated.assignments.cluster_ips))
        for key, source in whole.config_set.sources.items()
        if source.file in files and key.kind != "NodeConfig"
    ]
    return Loaded(ConfigSet.of(objects), (*own, *_unfit(alone, files), *_beside(proposal, alone), *others))


def _in_force(proposal: Proposal) -> ConfigSet:
    """What has something now that only one can have: those of before keep it, whatever a new one is called."""
    stored = [(key, _place(key), msgspec.json.decode(text)) for key, text in proposal.stored]
    there = {key for key, *_ in stored}
    own = [(key, source, msgspec.json.decode(text)) for key, source, text in proposal.own if key not in there]
    return claiming([*stored, *own])


def _own_files(proposal: Proposal, but: Collection[ObjectKey]) -> list[tuple[str, str]]:
    """The Services of the registry's own files, each in its line, less those that are stored, and `but` these."""
    left_out = {*but, *(key for key, _ in proposal.stored)} - set(proposal.gone)
    found: dict[str, list[str]] = {}
    for key, source, text in sorted(proposal.own, key=lambda each: each[1].line):
        if key not in left_out:
            lines = found.setdefault(f"{OWN} {source.file}", [])
            lines += [""] * (source.line - 1 - len(lines))
            lines.append(f"--- {text}")
    return [(name, "\n".join(lines)) for name, lines in found.items()]


def _is_twice(fault: Fault) -> bool:
    """Whether this is about an object that is in several files."""
    return fault.path == "metadata.name" and fault.message.startswith("duplicate object")


def _beside(proposal: Proposal, loaded: Loaded) -> Iterator[Fault]:
    """What is stored under the name of something that the registry's own files say."""
    for key, source, _ in proposal.own:
        if place := loaded.config_set.sources.get(key):
            message = f"is also written at {OWN} {source}: nodes get this one, the registry's process that one"
            yield Fault("warning", place, message, key, "metadata.name")


def _given(proposal: Proposal) -> dict[str, str]:
    """The addresses that stored Services were given, also those that are to be replaced, and that they have here."""
    found = {
        f"{key.namespace}/{key.name}": msgspec.json.decode(text)["spec"].get("clusterIP", "")
        for key, _, text in proposal.own
    }
    for key, text in proposal.stored:
        if key.kind == "Service" and GIVEN in text:
            annotations = msgspec.json.decode(text)["metadata"].get("annotations", {})
            found[f"{key.namespace}/{key.name}"] = annotations.get(GIVEN, "")
    return found


def _addressed(key: ObjectKey, item: object, given: Mapping[str, str]) -> object:
    """A Service with the address that it was given."""
    address = given.get(f"{key.namespace}/{key.name}")
    if not isinstance(item, Service) or address is None:
        return item
    annotations = {**item.metadata.annotations, GIVEN: address}
    return replace(item, metadata=replace(item.metadata, annotations=annotations))


def _file(key: ObjectKey, text: str) -> tuple[str, str]:
    return _place(key).file, text


def _place(key: ObjectKey) -> Source:
    return Source(f"{STORED}{key}", 1, 1)


def _read(files: Iterable[tuple[str, str]], beneath: Collection[str] = (), before: ConfigSet | None = None) -> Loaded:
    faults = FaultList()
    reading = Reading(faults, beneath=beneath, platforms=known(), before=before)
    for name, text in files:
        for document in parse(text, name, faults):
            reading.take(document)
    return reading.finish()


def _of_node(fault: Fault) -> bool:
    return fault.object is not None and fault.object.kind == "NodeConfig"


def _unfit(loaded: Loaded, files: Iterable[str]) -> Iterable[Fault]:
    """What is well written, and cannot be stored; a NodeConfig only counts against files that hold nothing else."""
    nodes = [(key, source) for key, source in loaded.config_set.sources.items() if key.kind == "NodeConfig"]
    nodes += [(fault.object, fault.source) for fault in loaded.faults if fault.object and _of_node(fault)]
    if nodes:
        key, source = nodes[0]
        is_all = all(_of_node(fault) for fault in loaded.faults) and loaded.config_set.sources.keys() <= {key}
        message = "is never distributed: it belongs into the node's own files"
        yield Fault("error" if is_all else "notice", source, message, key)
    for key, source in loaded.config_set.sources.items():
        if key.kind != "NodeConfig" and len(msgspec.json.encode(loaded.config_set.get(key))) > LARGEST:
            yield Fault("error", source, f"larger than {LARGEST // 1024} KiB", key)
    if not loaded.config_set.sources and not loaded.faults:
        for name in files:
            yield Fault("error", Source(name, 1, 1), "there is no object in it")
