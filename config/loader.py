"""Files to a ConfigSet: read, decode, complete, validate; a bad object disables only itself.

All faults of all files come together, in the order of the files.  This imports the YAML parser and the
vocabulary: a process that serves traffic uses `config.aside` instead.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.configset import ConfigSet, Loaded
from config.decode import decode
from config.defaults import complete, namespace_of
from config.documents import Document, parse
from config.errors import Fault, FaultList
from config.files import read_texts
from config.locate import Locator
from config.meta import ObjectKey, Source
from config.validation import validate
from config.vocabulary import recognise
from config.walk import Notices, Walk, describe, is_null, shorten

MAX_NAME = 253


def load(paths: Sequence[Path]) -> Loaded:
    """Everything that `paths` (files and folders) say.  Never raises for what is written in them."""
    faults = FaultList()
    return _load(read_texts(paths, faults), faults, strict=True)


def load_text(text: str, name: str, strict: bool = True) -> Loaded:
    """What one text says; tolerant (not `strict`) reading passes over unknown fields, as API servers' answers need."""
    return _load([(name, text)], FaultList(), strict)


def _load(texts: Iterable[tuple[str, str]], faults: FaultList, strict: bool) -> Loaded:
    reading = Reading(faults, strict)
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


class Reading:
    """Collects the objects of documents, one document after the other."""

    def __init__(self, faults: FaultList, strict: bool = True) -> None:
        self._faults = faults
        self._strict = strict
        self._notices: Notices = {}
        self._locator = Locator()
        self._objects: list[tuple[ObjectKey, Source, Any]] = []
        self._broken: set[ObjectKey] = set()
        self._node_config: ObjectKey | None = None

    def take(self, document: Document) -> None:
        """Decode the object, or the objects of the List, that a document holds."""
        self._take(document, document.root, "", "")

    def finish(self) -> Loaded:
        """The objects that are valid, and all faults."""
        decoded = ConfigSet.of(self._objects)
        found = validate(decoded, self._locator.locate, frozenset(self._broken))
        invalid = {fault.object for fault in found if fault.severity == "error"}
        valid = ConfigSet.of(entry for entry in self._objects if entry[0] not in invalid)
        return Loaded(valid, _in_order((*self._faults.all(), *found, *self._notices.values())))

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
        item = decode(kind, node, walk)
        if self._is_second(key, document, node):
            return
        self._locator.add(key, document, node)
        if item is None:
            self._broken.add(key)
        else:
            self._objects.append((key, document.source(node), complete(kind, item)))

    def _is_second(self, key: ObjectKey, document: Document, node: MappingNode) -> bool:
        """Whether an object of this key (or a NodeConfig) was there before; the first one stays."""
        first = self._node_config if key.kind == "NodeConfig" else key
        if key.kind == "NodeConfig" and first is None:
            self._node_config = key
        if first is None or first not in self._locator:
            return False
        where = document.source(_child(_child(node, "metadata"), "name") or node)
        rule = "a node has one NodeConfig" if key.kind == "NodeConfig" else "duplicate object"
        message = f"{rule}; {first} is also written at {self._locator.locate(first)}, and that one stays"
        self._faults.add(Fault("error", where, message, key, "metadata.name"))
        return True

    def _error(self, document: Document, node: Node, message: str) -> None:
        self._faults.add(Fault("error", document.source(node), message))


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
