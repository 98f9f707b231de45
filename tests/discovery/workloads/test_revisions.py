from __future__ import annotations

from typing import Any

import msgspec
import pytest

from config.resources.workloads import Deployment
from discovery.workloads.history import CHANGE_CAUSE, RESTARTED_AT, Record
from discovery.workloads.revisions import ROLLBACK, NotNow, Revisions
from tests.discovery.workloads.runners import FakeRevision, FakeRunner, shop


def written(word: str, cause: str = "", rollback: str = "", **changes: Any) -> Deployment:
    made = shop(1, args=(word,), **changes)
    annotations = {name: value for name, value in ((CHANGE_CAUSE, cause), (ROLLBACK, rollback)) if value}
    return msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, annotations=annotations))


class Bench:
    def __init__(self, *words: str, record: Record | None = None, **changes: Any) -> None:
        self.runner = FakeRunner()
        self.kept: list[Record] = []
        self.changes = changes
        self.subject = Revisions(self.runner, written(words[0], **changes), record or Record(), self.kept.append)
        self.follow(*words)

    def follow(self, *words: str) -> None:
        for word in words:
            self.subject.follow(written(word, **self.changes))
            self.subject.complete(())

    @property
    def numbers(self) -> list[int]:
        return [entry.number for entry in self.subject.record.entries]

    def digest(self, word: str) -> str:
        return self.runner.revise(written(word)).digest


def test_each_template_is_a_revision() -> None:
    bench = Bench("a", "b", "b")
    assert bench.numbers == [1, 2]
    assert bench.subject.digest == bench.digest("b")
    assert bench.kept[-1] == bench.subject.record


def test_undo_holds_until_the_template_is_another() -> None:
    bench = Bench("a", "b")
    entry = bench.subject.undo()
    assert entry is not None
    assert entry.number == 1
    bench.follow("b")
    assert bench.subject.digest == bench.digest("a")
    assert bench.numbers == [3, 2]
    bench.follow("c")
    assert bench.subject.digest == bench.digest("c")
    bench.follow("b")
    assert bench.subject.digest == bench.digest("b"), "what was undone once is not undone again"


def test_what_departs_from_the_manifest() -> None:
    bench = Bench("a", "b")
    bench.subject.restart("2026-01-01T00:00:00Z")
    assert not bench.subject.departs, "a restart is no other template"
    bench.subject.undo(1)
    assert bench.subject.departs
    bench.subject.restart("2026-01-01T00:00:01Z")
    assert bench.subject.departs
    bench.follow("c")
    assert not bench.subject.departs


def test_undo_holds_over_restarts() -> None:
    bench = Bench("a", "b")
    bench.subject.undo()
    again = Bench("b", record=bench.kept[-1])
    assert again.subject.digest == again.digest("a")
    assert again.numbers == [3, 2]


def test_undo_twice_is_back() -> None:
    bench = Bench("a", "b")
    bench.subject.undo()
    bench.subject.undo()
    assert bench.subject.digest == bench.digest("b")
    assert bench.subject.record.overlay is None
    assert bench.numbers == [3, 4]


def test_undo_to_a_revision() -> None:
    bench = Bench("a", "b", "c")
    bench.subject.undo(1)
    assert bench.subject.digest == bench.digest("a")


def test_undo_to_what_is_in_force() -> None:
    bench = Bench("a", "b")
    assert bench.subject.undo(2) is None
    assert bench.numbers == [1, 2]


@pytest.mark.parametrize(("number", "words"), [(0, "no earlier revision"), (7, "no revision 7")])
def test_undo_to_nothing(number: int, words: str) -> None:
    with pytest.raises(NotNow, match=words):
        Bench("a").subject.undo(number)


def test_restart() -> None:
    bench = Bench("a")
    bench.subject.restart("2026-01-01T00:00:00Z")
    assert bench.numbers == [1, 2]
    newest = bench.subject.record.current
    assert newest is not None
    assert newest.template.metadata.annotations == {RESTARTED_AT: "2026-01-01T00:00:00Z"}
    with pytest.raises(NotNow, match="within this second"):
        bench.subject.restart("2026-01-01T00:00:00Z")
    bench.follow("a")
    assert bench.numbers == [1, 2], "it holds"
    bench.follow("b")
    assert bench.subject.digest == bench.digest("b")


def test_paused_takes_no_new_template() -> None:
    bench = Bench("a")
    bench.subject.pause(paused=True)
    bench.follow("b")
    assert bench.subject.digest == bench.digest("a")
    for change in (bench.subject.undo, lambda: bench.subject.restart("now")):
        with pytest.raises(NotNow, match="it is paused"):
            change()
    with pytest.raises(NotNow, match="paused already"):
        bench.subject.pause(paused=True)
    bench.subject.pause(paused=False)
    assert bench.subject.digest == bench.digest("b")
    with pytest.raises(NotNow, match="not paused"):
        bench.subject.pause(paused=False)


def test_a_pause_holds_over_restarts_until_the_manifest_speaks() -> None:
    bench = Bench("a")
    bench.subject.pause(paused=True)
    again = Bench("b", record=bench.kept[-1])
    assert again.subject.digest == again.digest("a")
    again.changes = {"paused": True}
    again.follow("b")
    assert again.subject.paused
    again.changes = {}
    again.follow("b")
    assert again.subject.digest == again.digest("b")


def test_made_paused_nothing_runs() -> None:
    bench = Bench("a", paused=True)
    assert bench.subject.current is None
    assert bench.numbers == []


def test_causes() -> None:
    bench = Bench("a", cause="first")
    bench.changes = {"cause": "second"}
    bench.follow("b")
    bench.subject.undo()
    assert [entry.cause for entry in bench.subject.record.entries] == ["first", "second"]
    bench.subject.restart("now")
    assert bench.subject.record.entries[-1].cause == "second", "of what is written"


def test_what_cannot_run_leaves_the_last_good_one() -> None:
    bench = Bench("a")
    bench.runner.refused.add("shop:v1")
    bench.follow("b")
    assert "".join(bench.subject.faults) == "no command for shop:v1"
    assert bench.numbers == [1]
    bench.runner.refused.clear()
    bench.follow("b")
    assert not bench.subject.faults
    assert bench.numbers == [1, 2]


def test_older_revisions_are_made_again_when_needed() -> None:
    bench = Bench("a", "b")
    again = Bench("b", record=bench.kept[-1])
    assert again.subject.get(again.digest("a")) == FakeRevision(again.digest("a"))
    assert again.subject.get("unknown") is None
    third = Bench("b", record=bench.kept[-1])
    third.runner.refused.add("shop:v1")
    assert third.subject.get(third.subject.record.entries[0].digest) is None


def test_rolled_back_when_asked_for() -> None:
    bench = Bench("a", rollback="true")
    bench.subject.follow(written("b", rollback="true"))
    assert bench.subject.fail("revision 2 exceeded its progress deadline")
    assert bench.subject.digest == bench.digest("a")
    assert bench.subject.rolled_back.startswith("revision 2 exceeded its progress deadline: rolled back")
    assert not bench.subject.fail("once more"), "it does not go round in circles"
    bench.follow("c")
    assert bench.subject.rolled_back == ""


@pytest.mark.parametrize(("words", "rollback"), [(("a", "b"), ""), (("a", "b"), "yes"), (("a",), "true")])
def test_not_rolled_back(words: tuple[str, ...], rollback: str) -> None:
    bench = Bench(words[0], rollback=rollback)
    for word in words[1:]:
        bench.subject.follow(written(word, rollback=rollback))
    assert not bench.subject.fail("too late")
