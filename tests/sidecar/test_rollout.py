"""``weft rollout`` as a user types it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar import cli
from sidecar.commands.rollout import progress
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


def rollout(*words: str, answers: dict[str, Any] | None = None) -> int:
    documents = {"/api/v1/rollouts": {"rollouts": [told()]}} if answers is None else answers
    with answering(documents) as address:
        return cli.main(["rollout", *words, "--admin", address])


@pytest.mark.parametrize("words", [("shop",), ("deployment/shop",), ("deploy", "shop"), ("deployments.apps/shop",)])
def test_status(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert rollout("status", *words) == 0
    assert capsys.readouterr().out == 'deployment "shop" successfully rolled out\n'


def test_status_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert rollout("status", "shop", "--json") == 0
    assert json.loads(capsys.readouterr().out) == told()


WRONG: dict[str, tuple[tuple[str, ...], dict[str, Any] | None, int, str]] = {
    "nobody": (("status", "shpo"), None, 1, 'there is no Deployment "default/shpo" - did you mean'),
    "another kind": (("status", "service/shop"), None, 2, "service has no rollout"),
    "another revision": (("status", "shop", "--revision", "1"), None, 1, "desired revision (1) is different"),
    "no number": (("undo", "shop", "--to-revision", "x"), None, 2, "must be the number of a revision"),
    "nothing runs there": (("status", "shop"), {"/api/v1/rollouts": {"error": "none"}}, 1, "runs no Deployments"),
    "no history": (("history", "shop"), {HISTORY: {"error": "no Deployment runs here"}}, 1, "no Deployment runs here"),
    "too late": (
        ("status", "shop", "--timeout", "10ms"), {"/api/v1/rollouts": {"rollouts": [told(available=1)]}}, 1,
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
    answers = {"/api/v1/rollouts": {"rollouts": [told(available=1)]}}
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


def test_one_revision(capsys: pytest.CaptureFixture[str]) -> None:
    answers = {f"{HISTORY}&revision=2": {**REVISIONS, "template": {"spec": {}}}}
    assert rollout("history", "shop", "--revision", "2", answers=answers) == 0
    assert "deployment.apps/shop with revision #2\nPod Template:\n  {" in capsys.readouterr().out
