"""Paths, suggestions, descriptions, and where a walk says that something is."""

from __future__ import annotations

import pytest

from config.documents import parse
from config.errors import FaultList
from config.meta import ObjectKey
from config.walk import Notices, Walk, describe, key_text, path_text, shorten

PATHS = [
    ([], ""),
    (["spec"], "spec"),
    (["spec", "ports", 0, "targetPort"], "spec.ports[0].targetPort"),
    (["data", "tls.crt"], "data[tls.crt]"),
    (["metadata", "labels", "app"], "metadata.labels.app"),
    (["metadata", "labels", ""], "metadata.labels[]"),
    ([0, 1], "[0][1]"),
    (["a\nb"], "[a\\nb]"),
]


@pytest.mark.parametrize(("parts", "text"), PATHS)
def test_paths(parts: list[str | int], text: str) -> None:
    assert path_text(parts) == text


DESCRIPTIONS = [
    ("80", "the number 80"),
    ("1.50", "the number 1.50"),
    ("yes", "the boolean yes"),
    ("~", "nothing (null)"),
    ("'80'", 'the text "80"'),
    ("[1]", "a list"),
    ("{a: b}", "a mapping"),
    ("{}", "a mapping"),
    ("{{ .Values.name }}", "a template, {{ }}: render it first, as `helm template` does"),
    ("x" * 100, f'the text "{"x" * 57}..."'),
]


@pytest.mark.parametrize(("text", "words"), DESCRIPTIONS)
def test_descriptions(text: str, words: str) -> None:
    (document,) = parse(f"[{text}]", "f", FaultList())
    assert describe(document.root.value[0]) == words


def test_keys_are_text() -> None:
    (document,) = parse("{80: a, 0x10: b, yes: c, 'yes': d, 1.5: e, a: f}", "f", FaultList())
    assert [key_text(key) for key, _ in document.root.value] == ["80", "16", "true", "yes", "1.5", "a"]


def test_shortened_text_stays_on_one_line() -> None:
    assert shorten("a\nb") == "a\\nb"
    assert len(shorten("a" * 1000)) == 60


def test_a_crowded_list_of_faults_gets_no_suggestions() -> None:
    faults = FaultList(limit=10)
    (document,) = parse("a: 1", "f", faults)
    walk = Walk(document, faults, {}, strict=True)
    assert walk.suggestion("prot", ["port"]) == '; did you mean "port"?'
    walk.error(document.root, "first")
    assert walk.suggestion("prot", ["port"]) == ""


def test_an_unknown_field_may_have_been_meant_for_the_nearest() -> None:
    (document,) = parse("a: 1", "f", FaultList())
    for limit, unread in (
        (1000, ["spec.prot", "spec.port", "spec.colour"]),
        (0, ["spec.prot", "spec", "spec.colour", "spec"]),
    ):
        walk = Walk(document, FaultList(limit), {}, strict=True)
        walk.path = ["spec"]
        for field in ("prot", "colour"):
            walk.unknown(document.root, field, ["port", "type"])
        assert walk.unread == unread


def test_notices_are_kept_once_and_only_in_strict_walks() -> None:
    (document,) = parse("a: 1", "f", FaultList())
    notices: Notices = {}
    for strict in (False, True, True):
        walk = Walk(document, FaultList(), notices, strict)
        walk.key = ObjectKey("Deployment", "default", "web")
        walk.path = ["spec", "containers", 3]
        walk.ignored(document.root, "tty", "there is no terminal")
    assert list(notices) == [("Deployment", "spec.containers.tty")]
    assert [fault.path for fault in notices.values()] == ["spec.containers[3].tty"]
