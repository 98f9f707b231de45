"""Streams of documents: positions, what is refused, and that hostile texts cost little."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yaml.nodes import MappingNode, Node, ScalarNode

from config.documents import MAX_DEPTH, Document, parse
from config.errors import FaultList
from tests.texts import texts


def documents(text: str) -> tuple[list[Document], list[str]]:
    faults = FaultList()
    found = list(parse(text, "f", faults))
    return found, [f"{fault.source.line}:{fault.source.column} {fault.message}" for fault in faults.all()]


def plain(node: Node) -> object:
    if isinstance(node, MappingNode):
        return {plain(key): plain(value) for key, value in node.value}
    return node.value if isinstance(node, ScalarNode) else [plain(item) for item in node.value]


STREAMS = [
    ("nothing", "", []),
    ("only comments", "# a\n\n---\n# b\n---\n", []),
    ("one", "a: 1\n", [(1, {"a": "1"})]),
    ("byte order mark", "\ufeffa: 1\n", [(1, {"a": "1"})]),
    ("leading marker", "---\na: 1\n", [(2, {"a": "1"})]),
    ("two", "a: 1\n---\nb: 2\n", [(1, {"a": "1"}), (3, {"b": "2"})]),
    ("content beside the marker", "--- {a: 1}\n--- [2]\n", [(1, {"a": "1"}), (2, ["2"])]),
    ("end markers", "a: 1\n...\n---\nb: 2\n...\n", [(1, {"a": "1"}), (4, {"b": "2"})]),
    ("directive", "%YAML 1.1\n---\na: 1\n", [(3, {"a": "1"})]),
    ("directive between", "a: 1\n...\n# now\n%YAML 1.1\n---\nb: 2\n", [(1, {"a": "1"}), (6, {"b": "2"})]),
    ("windows line ends", "a: 1\r\n---\r\nb: 2\r\n", [(1, {"a": "1"}), (3, {"b": "2"})]),
    ("dashes that are text", "a: ---x\nb: |\n  ---\n", [(1, {"a": "---x", "b": "---\n"})]),
    ("json", '{"a": [1, {"b": null}]}', [(1, {"a": ["1", {"b": "null"}]})]),
    ("json indented with tabs", '{\n\t"a": 1\n}\n', [(1, {"a": "1"})]),
    ("alias", "a: &x [1]\nb: *x\n", [(1, {"a": ["1"], "b": ["1"]})]),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_streams(text: str, expected: list[tuple[int, object]]) -> None:
    found, faults = documents(text)
    assert faults == []
    assert [(each.source(each.root).line, plain(each.root)) for each in found] == expected


@given(st.dictionaries(texts(4), texts(8), max_size=3))
@example({"a": "\\" * 3 + "\U0001f600"})
@example({"a": "\\ud83d\\ude00"})
def test_json_is_read_as_json_means_it(value: dict[str, str]) -> None:
    found, faults = documents(json.dumps(value))
    assert faults == []
    assert [plain(each.root) for each in found] == [value]


REFUSED = [
    ("open list", "a: [\n", "3:1 not valid YAML: did not find expected node content"),
    ("open quote", 'a: "b\n', "1:4 not valid YAML: a quote that is never closed"),
    ("tab", "a:\n\t- b\n", "2:1 not valid YAML: a tab or another character"),
    ("indentation", "a: 1\n b: 2\n", "2:3 not valid YAML: a ':' where no key can be"),
    ("NUL", "a: b\0c\n", "1:5 NUL byte in the text"),
    ("control character", "a: b\n# \x1b[0m\n", "2:3 control character U+001B"),
    ("undefined alias", "a: *b\n", "1:4 not valid YAML: an alias (*) without its anchor"),
    ("alias in itself", "a: &b [*b]\n", "1:4 not valid YAML: an alias stands inside"),
    ("deep", "[" * 200, "1:100 not valid YAML: nested deeper than 100 levels"),
]


@pytest.mark.parametrize(("text", "fault"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_one_bad_document_costs_only_itself(text: str, fault: str) -> None:
    found, faults = documents(f"first: 1\n---\n{text}\n---\nlast: 1\n")
    assert [plain(each.root) for each in found] == [{"first": "1"}, {"last": "1"}]
    line, _, rest = fault.partition(":")
    assert len(faults) == 1
    assert faults[0].startswith(f"{int(line) + 2}:{rest}")


JSON = {
    "a comma too few": ('{"a": 1\n "b": 2}', "2:2 not valid JSON: Expecting ',' delimiter"),
    "a quote too few": ('\n{"a": "b}', "2:7 not valid JSON: Unterminated string"),
    "what no JSON is, and YAML is": ("{a: 1,}", ""),
    "a number too long": (f'{{"a": {"1" * 5000}\n "b": 2}}', "2:2 not valid JSON: Expecting ',' delimiter"),
    "deep": ("[" * 200, "1:100 not valid YAML: nested deeper than 100 levels"),
    "JSON that is no YAML": ('["\\ud83d"]', "1:5 not valid YAML"),
    "deeper than JSON is read": ('["\\ud83d", ' + "[" * 1_000_000, "1:5 not valid YAML"),
}


@pytest.mark.parametrize("name", JSON)
def test_what_is_called_json_is_told_of_in_its_words(name: str) -> None:
    text, words = JSON[name]
    faults = FaultList()
    list(parse(text, "m.json", faults))
    told = [f"{fault.source.line}:{fault.source.column} {fault.message}" for fault in faults.all()]
    assert [each.startswith(words) for each in told] == [True] * bool(words)


@pytest.mark.parametrize("text", ["a: {{ .Values.a }}-b\n", "{{- if .Values.a }}\na: b\n{{- end }}\n"])
def test_a_template_is_told_from_a_slip(text: str) -> None:
    _, faults = documents(text)
    assert faults[0].endswith("render that first, as `helm template` does")


def test_text_after_the_end_does_not_undo_what_was_read() -> None:
    found, faults = documents("[1]\n[2]\n")
    assert [plain(each.root) for each in found] == [["1"]]
    assert faults == ["2:1 not valid YAML: text after the end of the document (a '---' line goes between two)"]


def test_what_is_not_closed_is_named_by_its_line() -> None:
    _, faults = documents("a: 1\n---\nb: [\nc: 1\n")
    assert len(faults) == 1
    assert "that begins on line 3)" in faults[0]


def test_depth_is_allowed_up_to_the_limit() -> None:
    found, faults = documents("[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))
    assert len(found) == 1
    assert faults == []


def bomb(levels: int, width: int = 10) -> str:
    rows = ["a0: &a0 [" + ",".join(["x"] * width) + "]"]
    rows += [f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * width) + "]" for i in range(1, levels)]
    return "\n".join(rows)


HOSTILE = [
    ("bomb", bomb(60), "aliases expand to more than"),
    ("bomb of merges", "a: &a {b: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{'*a, ' * 40}]}}\n" for i in range(60)), ""),
    ("deep aliases", "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 200)), "levels"),
    ("brackets", "[" * 1_000_000, "nested deeper"),
    ("braces", "{a: " * 250_000, "nested deeper"),
    ("dashes", "- " * 500_000, "nested deeper"),
    ("question marks", "? " * 500_000, "nested deeper"),
    ("anchors", "&a " * 300_000, "not valid YAML"),
    ("tags", "!!str " * 160_000, "not valid YAML"),
    ("comments and a percent", "#\n" * 500_000 + "%\n", "not valid YAML"),
    ("open quote over lines", "'" + "\n" * 1_000_000, "never closed"),
    ("line ends in a block", "a: |\n" + " \n" * 500_000, ""),
    ("documents", "---\na\n" * 60_000, "more than 50000 documents"),
    ("escapes", '"' + "\\ud83d" * 150_000 + '"', "not valid YAML"),
    ("backslashes", '"' + "\\" * 500_000 + '\\ud83d\\ude00"', ""),
]


@pytest.mark.parametrize(("text", "words"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_hostile_texts_end_soon(text: str, words: str) -> None:
    started = time.process_time()
    _, faults = documents(text)
    assert time.process_time() - started < 5
    assert any(words in fault for fault in faults) if words else faults == []


@given(texts(80, "ab:-?[]{}&*!|>'\"%@`#,<~. \n\t\r\0\\1"))
@example("%\n---\n")
@example("a: 1\n%")
@example("? &a : *a")
def test_no_text_raises(text: str) -> None:
    documents(text)


def test_a_million_values_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.documents.MAX_NODES", 1000)
    _, faults = documents("[" + "a," * 2000 + "]")
    assert faults == ["1:1 not valid YAML: more than 1000 values in one document"]
