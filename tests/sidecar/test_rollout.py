"""``weft rollout`` as a user types it."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from sidecar import cli
from sidecar.commands.rollout import PATH, progress
from sidecar.errors import UserError
from tests.sidecar.commanding import answering

HISTORY = "/api/v1/rollouts/history?namespace=default&name=shop"


def told(reason: str = "ReplicaSetUpdated", **changes: Any) -> dict[str, Any]:
    return {
        "namespace": "default", "name": "shop", "revision": 2, "paused": False, "replicas": 3, "existing": 3,
        "updated": 3, "ready": 3, "available": 3, "unavailable": 0, "message": "", "rolledBack": "",
        "conditions": [{"type": "Progressing", "status": "True", "reason": reason, "message": ""}],
    } | changes  # fmt: skip


WAITING = 'Waiting for deployment "shop" rollout to finish: '
LINES: dict[str, tuple[dict[str, Any], str, bool]] = {
    "not all are new": (told(existing=4, updated=1), "1 out of 3 new replicas have been updated...", False),
    "old ones are there": (told(existing=4), "1 old replicas are pending termination...", False),
    "not all are available": (told(available=2), "2 of 3 updated replicas are available...", False),
}


@pytest.mark.parametrize("name", LINES)
def test_progress(name: str) -> None:
    document, line, done = LINES[name]
    assert progress(document) == (WAITING + line, done)


def test_the_end() -> None:
    assert progress(told()) == ('deployment "shop" successfully rolled out', True)


FAILED = {
    "exceeded": (
        told("ProgressDeadlineExceeded", message="exit code 1"),
        "exceeded its progress deadline: exit code 1",
    ),
    "it cannot run": (told("ReplicaSetCreateError", message="no command"), "cannot run: no command"),
    "rolled back": (told(rolledBack="revision 2 was too late"), "revision 2 was too late"),
}


@pytest.mark.parametrize("name", FAILED)
def test_failures(name: str) -> None:
    document, words = FAILED[name]
    with pytest.raises(UserError, match=words) as raised:
        progress(document)
    assert raised.value.exit_code == 1


def looking(*listed: dict[str, Any]) -> dict[str, Any]:
    """A weft that looked at its manifests once more at each answer, and then tells the next one of `listed`."""
    looks = count(7)

    def listing() -> dict[str, Any]:
        at = next(looks)
        return {"looks": at, "rollouts": [listed[min(at - 7, len(listed) - 1)]]}

    return {PATH: listing}


def rollout(*words: str, answers: dict[str, Any] | None = None) -> int:
    documents = looking(told()) if answers is None else answers
    with answering(documents) as address:
        return cli.main(["rollout", *words, "--admin", address])


@pytest.mark.parametrize("words", [("shop",), ("deployment/shop",), ("deploy", "shop"), ("deployments.apps/shop",)])
def test_status(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert rollout("status", *words) == 0
    assert capsys.readouterr().out == 'deployment "shop" successfully rolled out\n'


def test_status_is_of_what_the_manifests_say_now(capsys: pytest.CaptureFixture[str]) -> None:
    answers = looking(told(), told(), told(existing=4, updated=1), told(existing=4, updated=1), told())
    assert rollout("status", "shop", answers=answers) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{WAITING}1 out of 3 new replicas have been updated...",
        'deployment "shop" successfully rolled out',
    ]


def test_what_takes_long_to_be_observed_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.commands.rollout.SILENT_SECONDS", 0.0)
    answers = {PATH: {"looks": 7, "rollouts": [told()]}}
    assert rollout("status", "shop", "--timeout", "10ms", answers=answers) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("waiting until what the manifests say now is in force")) == ("", 1)
    assert "timed out" in said.err


def test_status_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert rollout("status", "shop", "--json") == 0
    assert json.loads(capsys.readouterr().out) == told()


WRONG: dict[str, tuple[tuple[str, ...], dict[str, Any] | None, int, str]] = {
    "nobody": (("status", "shpo"), None, 1, 'there is no Deployment "default/shpo" - did you mean'),
    "another kind": (("status", "service/shop"), None, 2, "service has no rollout"),
    "another revision": (("status", "shop", "--revision", "1"), None, 1, "desired revision (1) is different"),
    "no number": (("undo", "shop", "--to-revision", "x"), None, 2, "must be the number of a revision"),
    "nothing runs there": (("status", "shop"), {PATH: {"error": "none"}}, 1, "runs no Deployments"),
    "no history": (("history", "shop"), {HISTORY: {"error": "no Deployment runs here"}}, 1, "no Deployment runs here"),
    "too late": (
        ("status", "shop", "--timeout", "300ms"), looking(told(available=1)), 1,
        "timed out waiting for the condition",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_mistakes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, answers, code, said = WRONG[name]
    try:
        found = rollout(*words, answers=answers)
    except SystemExit as ended:
        found = int(str(ended.code))
    assert found == code
    assert said.split(" - ")[0] in capsys.readouterr().err


def test_without_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    answers = looking(told(available=1))
    assert rollout("status", "shop", "--watch", "false", answers=answers) == 0
    assert capsys.readouterr().out == f"{WAITING}1 of 3 updated replicas are available...\n"


REVISIONS = {
    "name": "shop",
    "revisions": [{"revision": 1, "changeCause": "first"}, {"revision": 2, "changeCause": ""}],
}


def test_history(capsys: pytest.CaptureFixture[str]) -> None:
    assert rollout("history", "shop", answers={HISTORY: REVISIONS}) == 0
    assert capsys.readouterr().out.splitlines() == [
        "deployment.apps/shop",
        "REVISION  CHANGE-CAUSE",
        "1         first",
        "2         <none>",
    ]


def test_history_marks_the_current_revision_and_says_whose_template_is_in_force(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for departs in (False, True):
        said = {**REVISIONS, "revision": 2, "departs": departs}
        assert rollout("history", "shop", answers={HISTORY: said}) == 0
        _, _, first, second, *more = capsys.readouterr().out.splitlines()
        assert (first.split(), second.split()) == (["1", "first"], ["2", "<none>", "(current)"])
        assert [line.startswith("the template of revision 2 is in force, not the") for line in more] == [True] * departs


def test_one_revision(capsys: pytest.CaptureFixture[str]) -> None:
    answers = {f"{HISTORY}&revision=2": {**REVISIONS, "template": {"spec": {}}}}
    assert rollout("history", "shop", "--revision", "2", answers=answers) == 0
    assert "deployment.apps/shop with revision #2\nPod Template:\n  {" in capsys.readouterr().out
