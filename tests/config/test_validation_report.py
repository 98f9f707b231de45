"""The report: order, places, paths, hints."""

from __future__ import annotations

import pytest

from config.meta import ObjectKey, Source
from config.unread import Unread
from config.validation.report import Report, duplicates, keyed, problem_of

KEY, OTHER = ObjectKey("Service", "default", "web"), ObjectKey("Service", "default", "api")


def locate(key: ObjectKey, path: str) -> Source:
    return Source(f"{key.name}.yaml", len(path), 1)


def test_faults_carry_object_path_and_place() -> None:
    report = Report(locate)
    about = report.of(KEY)
    about.warning("spec", "odd")
    about.check("spec.type", None)
    about.check("spec.type", "wrong")
    assert [(f.severity, f.object, f.path, f.source.line, f.message) for f in report.faults] == [
        ("warning", KEY, "spec", 4, "odd"),
        ("error", KEY, "spec.type", 9, "wrong"),
    ]
    assert str(report.faults[1]) == "web.yaml:9:1: Service/default/web: spec.type: wrong"


def test_another_object_is_named_with_its_place() -> None:
    assert Report(locate).of(KEY).elsewhere(OTHER, "spec") == "Service/default/api (api.yaml:4:1)"


def test_nothing_is_said_that_rests_on_what_could_not_be_read() -> None:
    unread, elsewhere = Unread(), Unread()
    unread.add(KEY, "spec.type")
    elsewhere.add(OTHER, "spec.ports[0].name")
    report = Report(locate, unread, Report(locate, elsewhere))
    about = report.of(KEY)
    about.error("spec.type", "at it")
    about.error("spec.type.more", "below it")
    about.error("spec", "above it")
    about.error("spec.ports", "rests on it", "spec.type")
    about.warning("spec.ports", "rests on something else", "spec.selector")
    assert [fault.message for fault in report.faults] == ["above it", "rests on something else"]
    assert not about.knows("spec.ports", "spec")
    assert about.knows_of(KEY, "spec.type")
    assert not about.knows_of(OTHER, "spec.ports.*.name")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("app", "m.app"),
        ("tls.crt", "m[tls.crt]"),
        ("a/b", "m[a/b]"),
        ("a-b", "m.a-b"),
        ("x." * 40, f"m[{'x.' * 28}x...]"),
    ],
)
def test_keyed(key: str, path: str) -> None:
    assert keyed("m", key) == path


def test_duplicates() -> None:
    assert duplicates("abcab") == {3: 0, 4: 1}
    assert duplicates([]) == {}


def test_problem_of() -> None:
    assert problem_of(int, "1") is None
    assert "invalid literal" in (problem_of(int, "a") or "")
