"""Text to documents: YAML 1.1 and JSON, as trees of nodes that know their line and column.

libyaml does the parsing (`yaml._yaml.CParser`, the base of PyYAML's C loaders) and builds PyYAML's nodes; no
scalar is interpreted here.  A stream is cut at its ``---`` lines first, which YAML allows nowhere else, so that a
syntax error costs one document and not the file.  Everything that could grow is bounded: nodes, nesting, what
aliases expand to, and documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError, YAMLError
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode
from yaml.parser import ParserError
from yaml.scanner import ScannerError

from config.errors import Fault, FaultList
from config.meta import Source

MAX_DEPTH = 100
MAX_NODES = 1_000_000
"""Of one document, with every alias counted as what it stands for."""
MAX_DOCUMENTS = 50_000
"""Of one file."""

PLAIN = "plain"
"""The tag of a scalar that stood there without quotes and without a tag: this object, compared by identity."""

_START = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_EMPTY = re.compile(r"(?:---)?[ \t]*(?:#[^\n]*)?(?:\n[ \t\r]*(?:#[^\n]*)?)*")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


class Document:
    """One document: its root node, and where it was written."""

    __slots__ = ("_lines_before", "file", "root")

    def __init__(self, root: Node, file: str, lines_before: int) -> None:
        self.root = root
        self.file = file
        self._lines_before = lines_before

    def source(self, node: Node) -> Source:
        """The place of a node of this document."""
        return Source(self.file, self._lines_before + node.start_mark.line + 1, node.start_mark.column + 1)


def parse(text: str, file: str, faults: FaultList) -> Iterator[Document]:
    """The documents of a stream in order, empty ones left out; what cannot be parsed goes to `faults`."""
    text = text.removeprefix("\ufeff")
    for count, (chunk, lines_before) in enumerate(_chunks(text)):
        if count == MAX_DOCUMENTS:
            where = Source(file, lines_before + 1, 1)
            faults.add(Fault("error", where, f"more than {MAX_DOCUMENTS} documents in one file: the rest is not read"))
            return
        if _EMPTY.fullmatch(chunk) is None:
            yield from _parse_chunk(chunk, file, lines_before, faults)


def _chunks(text: str) -> Iterator[tuple[str, int]]:
    """Pieces that begin with a ``---`` line (or its directives), each with the number of lines before it."""
    begin, lines = 0, 0
    for match in _START.finditer(text):
        chunk = text[begin : match.start()]
        if "%" in chunk:
            chunk = chunk[: _directives(chunk)]
        if chunk:
            yield chunk, lines
            lines += chunk.count("\n")
            begin += len(chunk)
    yield text[begin:], lines


def _directives(chunk: str) -> int:
    """Where the ``%`` lines at the end of a chunk begin, which belong to the document after it; else its length."""
    found = end = len(chunk)
    while end > 0:
        begin = chunk.rfind("\n", 0, end - 1) + 1
        line = chunk[begin:end].strip()
        if line.startswith("%"):
            found = begin
        elif line and not line.startswith("#"):
            break
        end = begin
    return found


def _parse_chunk(chunk: str, file: str, lines_before: int, faults: FaultList) -> Iterator[Document]:
    try:
        _refuse_unprintable(chunk)
        if "\\u" in chunk:
            chunk = _SURROGATES.sub(_join_surrogates, chunk)
        parser = _Parser(chunk)
        while parser.check_node():
            root = parser.get_node()
            parser.depth = parser.nodes = 0
            if root is None or (isinstance(root, ScalarNode) and root.tag is PLAIN and not root.value):
                continue
            if "*" in chunk:
                _Expansion().measure(root)
            yield Document(root, file, lines_before)
    except YAMLError as error:
        is_json = file.endswith(".json") and isinstance(error, ScannerError | ParserError)
        fault = _json_fault(chunk, file, lines_before) if is_json else None
        faults.add(fault or _syntax_fault(error, chunk, file, lines_before))


class _Parser(CParser):
    """libyaml's composer with bounds; marks which scalars were plain and resolves nothing."""

    def __init__(self, text: str) -> None:
        self.depth = 0
        self.nodes = 0
        super().__init__(text)

    def resolve(self, kind: type[Node], _value: object, implicit: Any) -> str | None:
        """Called by the composer for each node without a tag; its result becomes the node's tag.

        `implicit` of a scalar is a pair, of which the first says that it is plain.
        """
        return PLAIN if kind is ScalarNode and implicit[0] else None

    def descend_resolver(self, parent: Node | None, _index: object) -> None:
        """Called by the composer before each node, which makes it the place to stop it."""
        self.depth += 1
        self.nodes += 1
        if self.depth > MAX_DEPTH:
            raise _refusal(f"nested deeper than {MAX_DEPTH} levels", parent)
        if self.nodes > MAX_NODES:
            raise _refusal(f"more than {MAX_NODES} values in one document", parent)

    def ascend_resolver(self) -> None:
        """Called by the composer after each node."""
        self.depth -= 1


class _Expansion:
    """How large a tree is when every alias is counted as what it stands for.

    An anchor comes before its aliases, so a walk in document order finds the size of what an alias stands for
    already known: the work is linear in what was written, and no deeper than that.
    """

    def __init__(self) -> None:
        self._sizes: dict[Node, tuple[int, int]] = {}
        self._open: set[Node] = set()

    def measure(self, node: Node) -> tuple[int, int]:
        """Number of nodes and depth; raises MarkedYAMLError when there are too many."""
        if not isinstance(node, CollectionNode):
            return 1, 1
        if node in self._sizes:
            return self._sizes[node]
        if node in self._open:
            raise _refusal("an alias stands inside of what it stands for", node)
        self._open.add(node)
        size, depth = 1, 0
        for child in _children(node):
            child_size, child_depth = self.measure(child)
            size, depth = size + child_size, max(depth, child_depth)
        if size > MAX_NODES or depth >= MAX_DEPTH:
            raise _refusal(f"aliases expand to more than {MAX_NODES} values or {MAX_DEPTH} levels", node)
        self._open.remove(node)
        self._sizes[node] = size, depth + 1
        return size, depth + 1


def _children(node: CollectionNode) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield key
            yield value
    else:
        yield from node.value


def _refusal(problem: str, node: Node | None) -> MarkedYAMLError:
    return MarkedYAMLError(problem=problem, problem_mark=node.start_mark if node else None)


def _refuse_unprintable(chunk: str) -> None:
    if found := _UNPRINTABLE.search(chunk):
        at = found.start()
        name = "NUL byte" if found.group() == "\0" else f"control character U+{ord(found.group()):04X}"
        raise _Unprintable(f"{name} in the text", chunk.count("\n", 0, at), at - chunk.rfind("\n", 0, at) - 1)


class _Unprintable(YAMLError):
    def __init__(self, problem: str, line: int, column: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.column = column


def _join_surrogates(match: re.Match[str]) -> str:
    """JSON writes characters beyond U+FFFF as two escapes, YAML as one."""
    before = match.string[max(0, match.start() - 64) : match.start()]
    if (len(before) - len(before.rstrip("\\"))) % 2:
        return match.group()
    high, low = (int(group, 16) for group in match.groups())
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"


def _json_fault(chunk: str, file: str, lines_before: int) -> Fault | None:
    """What is wrong with it as JSON, in its words; None: nothing is, or it is nested too deeply."""
    try:
        json.loads(chunk, parse_int=str)  # Python makes no number of thousands of digits
    except json.JSONDecodeError as error:
        return Fault("error", Source(file, lines_before + error.lineno, error.colno), f"not valid JSON: {error.msg}")
    except RecursionError:
        return None
    return None


def _syntax_fault(error: YAMLError, chunk: str, file: str, lines_before: int) -> Fault:
    line = column = 0
    message = str(error).partition("\n")[0]
    if isinstance(error, _Unprintable):
        line, column = error.line, error.column
    elif isinstance(error, MarkedYAMLError):
        # What is never closed is found at the end of the text, but is to be mended where it begins.
        unclosed = error.problem == _UNCLOSED and error.context_mark
        mark = unclosed or error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        message = _explain(error, lines_before)
    if any("{{" in text for text in chunk.split("\n", line + 1)[line : line + 1]):
        message += "; {{ }} is a part of a template: render that first, as `helm template` does"
    return Fault("error", Source(file, lines_before + line + 1, column + 1), message)


_UNCLOSED = "found unexpected end of stream"
_EXPLANATIONS = {
    "found character that cannot start any token": "a tab or another character that no value can start with"
    " (indent with spaces; quote values that start with @ or `)",
    "mapping values are not allowed in this context": "a ':' where no key can be (check the indentation; quote values"
    " that contain ': ')",
    "did not find expected key": "no key where one must be (check the indentation)",
    "could not find expected ':'": "a key without ':' after it",
    "found undefined alias": "an alias (*) without its anchor (&)",
    _UNCLOSED: "a quote that is never closed",
    "did not find expected <document start>": "text after the end of the document (a '---' line goes between two)",
}


def _explain(error: MarkedYAMLError, lines_before: int) -> str:
    problem = error.problem or "cannot be parsed"
    context = f" ({error.context}" if error.context else ""
    if context and error.context_mark:
        context += f" that begins on line {lines_before + error.context_mark.line + 1}"
    return f"not valid YAML: {_EXPLANATIONS.get(problem, problem)}{context and context + ')'}"
