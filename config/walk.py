"""The walk over the nodes of one object: where it is, what it has found.

Shapes (`config.shapes`) call it; it knows YAML's mappings (merge keys, duplicate keys) and how a fault is
located, and nothing of types.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.documents import PLAIN, Document
from config.errors import Fault, FaultList, Severity
from config.meta import ObjectKey, Source
from config.scalars import STARTS, Scalar, resolve
from config.suggestions import did_you_mean, nearest

STRING_TAG = "tag:yaml.org,2002:str"
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "map", "seq", "timestamp")}
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_SIMPLE = re.compile(r"[A-Za-z_][\w-]*")

Entry = tuple[Node, Node]
Notices = dict[tuple[str, str], Fault]
"""Kind and field path to the first place where Weft ignores that field."""


class Walk:
    """State of decoding one object."""

    __slots__ = ("_document", "_faults", "key", "notices", "path", "strict", "unread")

    def __init__(self, document: Document, faults: FaultList, notices: Notices, strict: bool) -> None:
        self._document = document
        self._faults = faults
        self.notices = notices
        self.strict = strict
        self.key: ObjectKey | None = None
        self.path: list[str | int] = []
        self.unread: list[str] = []
        """Paths of the fields with an error, and of fields that may have been meant by unknown ones."""

    def source(self, node: Node) -> Source:
        return self._document.source(node)

    def error(self, node: Node, message: str, field: str | int | None = None) -> None:
        """An error at `node`; `field` is the part of the path below the present one."""
        self.unread.append(self._add("error", node, message, field))

    def unknown(self, key: Node, field: str, known: Sequence[str]) -> None:
        """An error at a key that no field has; the field with a name like it is then unread."""
        message = f'unknown field "{shorten(field)}"'
        if self._faults.crowded:  # nobody will read a suggestion, so any field may be meant
            self.error(key, message, field)
            self.unread.append(path_text(self.path))
            return
        self.error(key, message + did_you_mean(field, known), field)
        if meant := nearest(field, known):
            self.unread.append(path_text([*self.path, meant]))

    def warning(self, node: Node, message: str, field: str | int | None = None) -> None:
        self._add("warning", node, message, field)

    def _add(self, severity: Severity, node: Node, message: str, field: str | int | None) -> str:
        path = path_text(self.path if field is None else [*self.path, field])
        self._faults.add(Fault(severity, self.source(node), message, self.key, path))
        return path

    def ignored(self, node: Node, field: str, effect: str) -> None:
        """Note once per kind and field that Weft does not act on it; nothing is said in tolerant walks."""
        kind = self.key.kind if self.key else ""
        path = path_text([part for part in (*self.path, field) if not isinstance(part, int)])
        if self.strict and (kind, path) not in self.notices:
            message = f"not used by Weft: {effect}" if effect else "not used by Weft"
            exact = path_text([*self.path, field])
            self.notices[kind, path] = Fault("notice", self.source(node), message, self.key, exact)

    def suggestion(self, wrong: str, known: Sequence[str]) -> str:
        """``; did you mean "x"?``, or nothing when nothing is near (or nobody will read it)."""
        return "" if self._faults.crowded else did_you_mean(wrong, known)

    def entries(self, node: MappingNode) -> Sequence[Entry]:
        """Keys and values with merge keys followed; duplicate and unusable keys are errors."""
        pairs: Sequence[Entry] = node.value
        try:
            names = {key.value for key, _ in pairs}
        except TypeError:
            names = set()
        if len(names) == len(pairs) and "<<" not in names:
            return pairs
        return list(self._checked(node).values())

    def _checked(self, node: MappingNode) -> dict[str, Entry]:
        own: dict[str, Entry] = {}
        merged: list[Node] = []
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.error(key, "a key must be text, not a list or a mapping")
            elif key.value == "<<" and key.tag is PLAIN:
                merged.extend(value.value if isinstance(value, SequenceNode) else [value])
            elif key.value in own:
                first = self.source(own[key.value][0])
                hint = "; a '---' line goes between two objects" if key.value == "apiVersion" else ""
                self.error(key, f"duplicate key; it is also written on line {first.line}{hint}", key.value)
            else:
                own[key.value] = key, value
        for part in merged:
            if isinstance(part, MappingNode):
                own = self._checked(part) | own
            else:
                self.error(part, "'<<' merges mappings only")
        return own


def scalar(node: ScalarNode) -> Scalar:
    """The value of a scalar node by kubectl's rules; quoted is text."""
    return resolve(node.value) if node.tag is PLAIN or node.tag in _TAGS else str(node.value)


def is_text(node: ScalarNode) -> bool:
    """Whether a scalar is text for certain: a quick answer to a frequent question."""
    return node.tag is None or (node.tag is PLAIN and node.value[:1] not in STARTS)


def is_null(node: Node) -> bool:
    return node.tag is PLAIN and node.value in _NULLS


def key_text(node: Node) -> str:
    """A mapping's key as text: Kubernetes turns numbers and booleans that are keys into text."""
    value = scalar(node) if isinstance(node, ScalarNode) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else str(node.value)


def describe(node: Node) -> str:
    """What a node is, for messages: ``the number 80``."""
    if isinstance(node, MappingNode):
        inner = isinstance(node.value[0][0], MappingNode) if node.value else False
        return "a template, {{ }}: render it first, as `helm template` does" if inner else "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    value = scalar(node) if isinstance(node, ScalarNode) else None
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"the boolean {shorten(node.value)}"
    if isinstance(value, int | float):
        return f"the number {shorten(node.value)}"
    return f'the text "{shorten(node.value)}"'


def shorten(text: str) -> str:
    """At most 60 characters, on one line."""
    line = text.replace("\n", "\\n")
    return line if len(line) <= 60 else f"{line[:57]}..."


def path_text(parts: Sequence[str | int]) -> str:
    """``spec.ports[0].targetPort``; keys that are no plain word in brackets: ``data[tls.crt]``."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _SIMPLE.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{shorten(part)}]"
    return text
