"""Files to a ConfigSet: read, decode, complete, validate; a bad object disables only itself.

All faults of all files come together, in the order of the files.  This imports the YAML parser and the
vocabulary: a process that serves traffic uses `config.aside` instead.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.configset import ConfigSet, Loaded
from config.decode import decode
from config.defaults import complete, namespace_of
from config.documents import Document, parse
from config.errors import Fault, FaultList, Severity
from config.files import read_texts
from config.locate import Locator
from config.meta import Named, ObjectKey, Source
from config.resources.core import GIVEN, Service
from config.unread import Unread
from config.validation import NO_PLATFORMS, Validation
from config.vocabulary import recognise
from config.walk import Notices, Walk, describe, is_null, shorten

MAX_NAME = 253


def load(
    paths: Sequence[Path],
    beneath: Collection[str] = (),
    *,
    platforms: Mapping[str, bool] = NO_PLATFORMS,
    before: ConfigSet | None = None,
    beyond: Callable[[Loaded], Iterable[Fault]] = lambda _: (),
) -> Loaded:
    """Everything that `paths` (files and folders) say.  Never raises for what is written in them.

    `beneath`: the last files, if what others say of the same objects is meant to stand, which is only warned of, and
    where both say the same goes without saying.
    `platforms`: those that there are, as floors above know them, and whether each makes Services of what it finds;
    empty: any that is called like one may be.
    `before`: what was in force, with all addresses: its objects keep what another one claims too.
    `beyond`: what floors above find wrong with it; told at the places of the fields that it names.
    """
    faults = FaultList()
    reading = Reading(faults, beneath=beneath, platforms=platforms, before=before)
    loaded = _load(read_texts(paths, faults), reading, faults)
    return replace(loaded, faults=_in_order((*loaded.faults, *map(reading.placed, beyond(loaded)))))


def load_text(text: str, name: str, strict: bool = True) -> Loaded:
    """What one text says; tolerant (not `strict`) reading passes over unknown fields, as API servers' answers need."""
    faults = FaultList()
    return _load([(name, text)], Reading(faults, strict), faults)


def _load(texts: Iterable[tuple[str, str]], reading: Reading, faults: FaultList) -> Loaded:
    with _uncollected():
        for name, text in texts:
            for document in parse(text, name, faults):
                reading.take(document)
        return reading.finish()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Trees of nodes have no cycles; looking for some takes a third of the time of a large load."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Layer:
    """Objects of which no two have the same name."""

    def __init__(self) -> None:
        self.locator = Locator()
        self.objects: list[tuple[ObjectKey, Source, Any]] = []
        self.unread = Unread()


class Reading:
    """Collects the objects of documents, one document after the other."""

    def __init__(
        self,
        faults: FaultList,
        strict: bool = True,
        beneath: Collection[str] = (),
        platforms: Mapping[str, bool] = NO_PLATFORMS,
        before: ConfigSet | None = None,
    ) -> None:
        """The last four as in `load_text` and `load`."""
        self._faults = faults
        self._before = before
        self._platforms = platforms
        self._beneath = beneath
        self._strict = strict
        self._notices: Notices = {}
        self._layers = [_Layer()]
        self._written: dict[ObjectKey, list[tuple[ObjectKey, object]]] = {}
        """By what must be unique: all objects that claim it, and their keys."""

    def take(self, document: Document) -> None:
        """Decode the object, or the objects of the List, that a document holds."""
        self._take(document, document.root, "", "")

    def finish(self) -> Loaded:
        """The objects that are valid, and all faults."""
        first, *others = self._layers
        if self._is_puzzling():
            first.unread.add_anything()
        written = ConfigSet.of(first.objects)
        validation = Validation(
            written, first.locator.locate, first.unread, self._platforms, self._beneath, before=self._before
        )
        found = validation.faults()
        invalid = {fault.object for fault in found if fault.disables}
        valid = ConfigSet.of(entry for entry in first.objects if entry[0] not in invalid | first.unread.keys())
        for layer in others:
            found += validation.faults_of_others(ConfigSet.of(layer.objects), layer.locator.locate, layer.unread)
        return Loaded(valid, _in_order((*self._faults.all(), *found, *self._notices.values())))

    def placed(self, fault: Fault) -> Fault:
        """`fault`, found in what was read, at the place of its field."""
        locator = self._layers[0].locator
        if fault.object is None or fault.object not in locator:
            return fault
        return replace(fault, source=locator.locate(fault.object, fault.path))

    def _is_puzzling(self) -> bool:
        """Whether something was written of which it is not even known what it is."""
        return any(fault.severity == "error" and fault.object is None for fault in self._faults.all())

    def _take(self, document: Document, node: Node, list_version: str, list_kind: str) -> None:
        """Decode the object at `node`; in a typed list the items need not say what they are."""
        if not isinstance(node, MappingNode):
            return self._error(document, node, f"expected an object of Kubernetes (a mapping), got {describe(node)}")
        version = self._header(document, node, "apiVersion", list_version)
        kind = self._header(document, node, "kind", list_kind)
        if not version or not kind:
            return None
        if kind.endswith("List") and _is_list(version, kind, node):
            items = _child(node, "items")
            for item in items.value if isinstance(items, SequenceNode) else ():
                self._take(document, item, version if kind != "List" else "", kind.removesuffix("List"))
            return None
        verdict = recognise(version, kind, not self._faults.crowded)
        if verdict.outcome == "used":
            return self._decode(kind, document, node)
        where = document.source(_child(node, "kind") or node)
        if verdict.outcome == "wrong":
            self._layers[0].unread.add_object(Named(*_key(kind, node)[1:]))
            return self._faults.add(Fault("error", where, verdict.message, _key(kind, node)))
        self._notices.setdefault((kind, ""), Fault("notice", where, verdict.message, _key(kind, node)))
        return None

    def _header(self, document: Document, node: MappingNode, field: str, inherited: str) -> str:
        value = _child(node, field)
        if value is None and inherited:
            return inherited
        if isinstance(value, ScalarNode) and not is_null(value):
            return str(value.value)
        self._error(document, value or node, f"{field} is missing: not an object of Kubernetes")
        return ""

    def _decode(self, kind: str, document: Document, node: MappingNode) -> None:
        walk = Walk(document, self._faults, self._notices, self._strict)
        walk.key = key = _key(kind, node)
        item = complete(kind, decode(kind, node, walk))
        layer = self._layer(key, item, document, node)
        layer.locator.add(key, document, node)
        layer.objects.append((key, document.source(node), item))
        for path in walk.unread:
            layer.unread.add(key, path)

    def _layer(self, key: ObjectKey, item: object, document: Document, node: MappingNode) -> _Layer:
        """Where an object belongs: the first layer, unless its name (or the node's configuration) is taken."""
        same = self._written.setdefault(key._replace(name="") if key.kind == "NodeConfig" else key, [])
        same.append((key, item))
        if len(same) > len(self._layers):
            self._layers.append(_Layer())
        if len(same) > 1 and key.name:
            where = document.source(_child(_child(node, "metadata"), "name") or node)
            is_beneath, first = where.file in self._beneath, same[0]
            if not (is_beneath and _agrees(item, first[1])):
                self._repeated(where, key, first[0], "warning" if is_beneath else "error")
        return self._layers[len(same) - 1]

    def _repeated(self, where: Source, key: ObjectKey, first: ObjectKey, severity: Severity) -> None:
        rule = "a node has one NodeConfig" if key.kind == "NodeConfig" else "duplicate object"
        message = f"{rule}; {first} is also written at {self._layers[0].locator.locate(first)}, and that one stays"
        self._faults.add(Fault(severity, where, message, key, "metadata.name"))

    def _error(self, document: Document, node: Node, message: str) -> None:
        self._faults.add(Fault("error", document.source(node), message))


def _agrees(beneath: object, stays: object) -> bool:
    """Whether an object says what the one says that stays, but for the address that a registry gave it."""
    if isinstance(beneath, Service) and GIVEN in beneath.metadata.annotations:
        annotations = {name: value for name, value in beneath.metadata.annotations.items() if name != GIVEN}
        beneath = replace(beneath, metadata=replace(beneath.metadata, annotations=annotations))
    return beneath == stays


def _child(node: Node | None, name: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _is_list(version: str, kind: str, node: MappingNode) -> bool:
    """Whether this is ``List``, or a list of a kind such as ``ServiceList``, and no kind that only sounds so."""
    of_kind = kind.removesuffix("List")
    return not of_kind or (_child(node, "items") is not None and recognise(version, of_kind, False).outcome != "wrong")


def _key(kind: str, node: Node) -> ObjectKey:
    """Kind, namespace and name as far as they are written, so that faults can say whose they are."""
    metadata = _child(node, "metadata")
    name, namespace = (_text(_child(metadata, field)) for field in ("name", "namespace"))
    return ObjectKey(shorten(kind), namespace_of(kind, namespace), name)


def _text(node: Node | None) -> str:
    """A name as it is written, cut where no valid name goes on."""
    return node.value[:MAX_NAME] if isinstance(node, ScalarNode) and not is_null(node) else ""


def _in_order(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """By file, in the order in which files first appear, then by line."""
    files = {file: number for number, file in enumerate(dict.fromkeys(fault.source.file for fault in faults))}
    return tuple(sorted(faults, key=lambda fault: (files[fault.source.file], fault.source.line, fault.source.column)))
