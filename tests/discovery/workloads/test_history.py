from __future__ import annotations

from pathlib import Path

import pytest

from config.meta import Named
from config.resources.workloads import PodTemplate
from discovery.workloads.history import (
    MOST_UNFINISHED,
    RESTARTED_AT,
    Entry,
    Overlay,
    Record,
    basis_of,
    encode_record,
    file_of,
    load_record,
    restarted,
)
from tests.discovery.workloads.runners import shop


def template(word: str = "v1") -> PodTemplate:
    return shop(1, args=(word,)).spec.template


def record(*digests: str, complete: str = "") -> Record:
    found = Record()
    for digest in digests:
        found = found.with_current(digest, template(digest), "")
        if digest in complete:
            found = found.with_complete(digest, 10, ())
    return found


def numbers(found: Record) -> dict[str, int]:
    return {entry.digest: entry.number for entry in found.entries}


def test_revisions_are_counted() -> None:
    assert numbers(record("a", "b", "c")) == {"a": 1, "b": 2, "c": 3}


def test_one_that_is_returned_to_gets_a_new_number() -> None:
    assert numbers(record("a", "b", "a")) == {"a": 3, "b": 2}
    assert [entry.digest for entry in record("a", "b", "a").entries] == ["a", "b"], "in the order of their making"


def test_the_same_again_changes_nothing() -> None:
    found = record("a", "b")
    assert found.with_current("b", template("b"), "") is found


def test_a_cause_stays_until_another_is_given() -> None:
    found = Record().with_current("a", template(), "first").with_current("a", template(), "")
    assert [entry.cause for entry in found.entries] == ["first"]
    assert [entry.cause for entry in found.with_current("a", template(), "other").entries] == ["other"]


@pytest.mark.parametrize(("number", "expected"), [(0, "b"), (1, "a"), (2, "b"), (3, "c"), (4, None)])
def test_the_revision_to_return_to(number: int, expected: str | None) -> None:
    found = record("a", "b", "c").earlier(number)
    assert (found.digest if found else None) == expected


def test_nothing_to_return_to() -> None:
    assert record("a").earlier() is None
    assert Record().earlier() is None
    assert Record().current is None


def test_the_last_complete() -> None:
    found = record("a", "b", "c", complete="ac").last_complete()
    assert found is not None
    assert found.digest == "a", "the current one is none to return to"
    assert record("a", "b").last_complete() is None


LIMITS: dict[str, tuple[int, tuple[str, ...], list[str]]] = {
    "as many as the limit": (2, (), ["b", "c", "d"]),
    "none": (0, (), ["d"]),
    "all": (10, (), ["a", "b", "c", "d"]),
    "those with replicas stay": (0, ("a",), ["a", "d"]),
}


@pytest.mark.parametrize("name", LIMITS)
def test_revision_history_limit(name: str) -> None:
    limit, kept, expected = LIMITS[name]
    assert [entry.digest for entry in record("a", "b", "c", "d").with_complete("d", limit, kept).entries] == expected


def test_a_restart_is_another_template() -> None:
    found = restarted(template(), "2026-01-01T00:00:00Z")
    assert found.metadata.annotations == {RESTARTED_AT: "2026-01-01T00:00:00Z"}
    assert basis_of(found) != basis_of(template()) == basis_of(template())


def test_kept_and_read_again(tmp_path: Path) -> None:
    kept = record("a", "b", complete="a").with_overlay(Overlay(template("a"), "x", "it failed")).with_paused(True)
    path = tmp_path / "file"
    path.write_bytes(encode_record(kept))
    assert load_record(path) == (kept, ())


def test_no_file_is_an_empty_record(tmp_path: Path) -> None:
    assert load_record(tmp_path / "none") == (Record(), ())


@pytest.mark.parametrize("content", ["", "[]", '{"entries": 5}', '{"other": 1}', "\xff"])
def test_what_cannot_be_read_is_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content, encoding="latin-1")
    found, (fault,) = load_record(path)
    assert found == Record()
    assert fault.severity == "warning"
    assert "counted anew" in fault.message


def test_names_with_dots_do_not_meet() -> None:
    assert file_of(Path("x"), Named("a", "b.c")).name == "a.b.c.json"
    assert Entry(1, "a", template()).complete is False


def test_of_those_that_never_became_ready_the_newest_stay() -> None:
    found = record("good", complete="good")
    for number in range(3 * MOST_UNFINISHED):
        found = found.with_current(f"broken{number}", template(str(number)), "")
    assert len(found.entries) == MOST_UNFINISHED + 1
    assert found.entries[0].digest == "good"
    assert found.current is not None
    assert found.current.number == 3 * MOST_UNFINISHED + 1
