"""From an object and a field path to the place in the file: how checks that see only objects point at text."""

from __future__ import annotations

import re

from yaml.nodes import MappingNode, Node, SequenceNode

from config.documents import Document
from config.meta import ObjectKey, Source
from config.walk import key_text

_INDEX = re.compile(r"\[(\d{1,9})\]")
_UNKNOWN = Source("", 1, 1)


class Locator:
    """Remembers the nodes of every object that was written."""

    def __init__(self) -> None:
        self._roots: dict[ObjectKey, tuple[Document, Node]] = {}

    def add(self, key: ObjectKey, document: Document, root: Node) -> None:
        self._roots[key] = document, root

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._roots

    def locate(self, key: ObjectKey, path: str = "") -> Source:
        """The place of the field, or of the nearest parent that was written; ``:1:1`` for unknown objects."""
        if key not in self._roots:
            return _UNKNOWN
        document, node = self._roots[key]
        while step := _step(node, path):
            node, path = step
        return document.source(node)


def _step(node: Node, path: str) -> tuple[Node, str] | None:
    """One level down: the child that `path` begins with, and the rest of the path."""
    if isinstance(node, SequenceNode):
        found = _INDEX.match(path)
        index = int(found[1]) if found else -1
        return (node.value[index], path[found.end() :]) if found and index < len(node.value) else None
    if not isinstance(node, MappingNode):
        return None
    path = path.removeprefix(".")
    # Keys may hold dots (labels), so the longest key that fits is the one that is meant.
    fitting = [(taken, value) for key, value in node.value if (taken := _taken(key_text(key), path))]
    if not fitting:
        return None
    taken, value = max(fitting, key=lambda pair: pair[0])
    return value, path[taken:]


def _taken(key: str, path: str) -> int:
    """How much of `path` is this key, bare or in brackets; 0: it does not begin with it."""
    for form in (key, f"[{key}]"):
        if form and path.startswith(form) and path[len(form) : len(form) + 1] in ("", ".", "["):
            return len(form)
    return 0
