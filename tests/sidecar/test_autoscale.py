"""``weft autoscale`` as a user types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sidecar import cli
from sidecar.commands.autoscale import row
from tests.sidecar.commanding import answering

DECIDED: dict[str, Any] = {
    "namespace": "default", "name": "web", "target": "Deployment/web", "minReplicas": 2, "maxReplicas": 9,
    "paused": False, "dryRun": False, "standby": "",
    "at": "2026-01-02T03:04:05.000Z", "currentReplicas": 2, "desiredReplicas": 4,
    "word": "SucceededRescale", "reason": "pods metric x above target",
    "metrics": [
        {"metric": "pods metric x", "value": 20.0, "target": 10.0, "ratio": 2.0, "replicas": 4, "failure": "",
         "steps": ["average 20 of 10: ratio 2.000", "2.000 x 2, rounded up: 4"]},
        {"metric": "pods metric y", "value": None, "target": 1.0, "ratio": None, "replicas": None,
         "failure": "no metric is called y", "steps": []},
    ],
    "conditions": [{"type": "ScalingActive", "status": True, "reason": "ValidMetricFound", "message": "it was found"}],
    "steps": ["now 2", "pods metric x asks for 4", "desired 4"],
}  # fmt: skip
FRESH = {name: DECIDED[name] for name in ("target", "minReplicas", "maxReplicas")} | {
    "namespace": "other", "name": "new", "paused": True, "dryRun": False, "standby": "",
}  # fmt: skip


@pytest.fixture
def address() -> Iterator[str]:
    with answering({"/api/v1/autoscalers": {"autoscalers": [DECIDED, FRESH]}}) as address:
        yield address


def test_a_table(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["autoscale", "status", "--admin", address]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["NAMESPACE", "NAME", "TARGET", "MIN", "MAX", "CURRENT", "DESIRED", "METRICS", "LAST"],
        ["default", "web", "Deployment/web", "2", "9", "2", "4", "20/10,", "?/1", "SucceededRescale"],
        ["other", "new", "Deployment/web", "2", "9", "-", "-", "-", "none", "yet", "(paused)"],
    ]


def test_an_explanation(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["autoscale", "explain", "web", "--admin", address]) == 0
    assert capsys.readouterr().out == (
        "default/web scales Deployment/web\n"
        "between 2 and 9 replicas\n"
        "decided at 2026-01-02T03:04:05.000Z\n\n"
        "pods metric x\n  average 20 of 10: ratio 2.000\n  2.000 x 2, rounded up: 4\n\n"
        "pods metric y\n  unknown: no metric is called y\n\n"
        "rules\n  now 2\n  pods metric x asks for 4\n  desired 4\n\n"
        "conditions\n  ScalingActive: True, ValidMetricFound: it was found\n\n"
        "2 -> 4: pods metric x above target\n"
    )


def test_one_that_has_not_decided(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["autoscale", "explain", "new", "--admin", address]) == 0
    told = capsys.readouterr().out
    assert told.endswith("it changes nothing: weft.dev/autoscale: paused\nthere was no decision yet\n")


def test_json(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["autoscale", "status", "-n", "default", "--json", "--admin", address]) == 0
    assert json.loads(capsys.readouterr().out) == [DECIDED]
    assert cli.main(["autoscale", "explain", "web", "--json", "--admin", address]) == 0
    assert json.loads(capsys.readouterr().out) == DECIDED


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "?"), (0.0, "0"), (0.25, "0.25"), (1234.5, "1234"), (64 * 2**20, "64Mi"), (1.5 * 2**34, "24Gi")],
)
def test_numbers(value: float | None, text: str) -> None:
    metric = {**DECIDED["metrics"][0], "value": value}
    assert row({**DECIDED, "metrics": [metric]})[7] == f"{text}/10"


def test_mistakes(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["autoscale", "explain", "--admin", address]) == 2
    assert "needs the name" in capsys.readouterr().err
    assert cli.main(["autoscale", "explain", "wen", "--admin", address]) == 1
    assert 'there is no HorizontalPodAutoscaler "wen"; did you mean "web"?' in capsys.readouterr().err


def test_a_weft_without(capsys: pytest.CaptureFixture[str]) -> None:
    with answering({"/api/v1/autoscalers": {"error": "no such path"}}) as address:
        assert cli.main(["autoscale", "status", "--admin", address]) == 1
    assert "weft up and weft registry have one" in capsys.readouterr().err
    with answering({"/api/v1/autoscalers": {"autoscalers": []}}) as address:
        assert cli.main(["autoscale", "status", "--admin", address]) == 0
    assert "there is no HorizontalPodAutoscaler" in capsys.readouterr().err
