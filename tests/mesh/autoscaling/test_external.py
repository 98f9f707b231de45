"""Answers of Prometheus as readings."""

from __future__ import annotations

import msgspec
import pytest

from config.resources.autoscaling import HorizontalPodAutoscaler
from mesh.autoscaling.external import external, number, queries
from mesh.autoscaling.reading import Reading, amount
from tests.mesh.autoscaling.objects import Written, metric

QUERY = 'sum(q{namespace="default"})'


def success(kind: str, result: object) -> bytes:
    return msgspec.json.encode({"status": "success", "data": {"resultType": kind, "result": result}})


def series(*values: str) -> list[dict[str, object]]:
    return [{"metric": {}, "value": [1.5, value]} for value in values]


NUMBERS: dict[str, tuple[bytes, float]] = {
    "scalar": (success("scalar", [1.5, "7"]), 7.0),
    "one series": (success("vector", series("7.25")), 7.25),
    "several add up": (success("vector", series("1", "2", "4")), 7.0),
    "nothing": (success("vector", series("0")), 0.0),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers(case: str) -> None:
    body, value = NUMBERS[case]
    assert number(body) == Reading(value=amount(value))


FAILURES: dict[str, tuple[bytes, str]] = {
    "no series": (success("vector", []), "no series matches"),
    "range": (success("matrix", []), "the answer is a matrix, which is no number"),
    "text": (success("string", [1, "x"]), "the answer is a string, which is no number"),
    "not a number": (success("vector", series("NaN")), "the value is nan"),
    "infinite": (success("vector", series("+Inf")), "the value is inf"),
    "both infinities": (success("vector", series("+Inf", "-Inf")), "what answers is no Prometheus"),
    "negative": (success("vector", series("-1")), "the value is -1"),
    "error": (b'{"status":"error","error":"parse error"}', "Prometheus says: parse error"),
    "no json": (b"<html>", "what answers is no Prometheus"),
    "a list": (b"[]", "what answers is no Prometheus"),
    "no data": (b'{"status":"success"}', "what answers is no Prometheus"),
    "no value": (success("vector", [{}]), "what answers is no Prometheus"),
    "bad text": (b'{"status":"\xff"}', "what answers is no Prometheus"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_failures(case: str) -> None:
    body, failure = FAILURES[case]
    assert number(body) == Reading(failure=failure)


def written() -> HorizontalPodAutoscaler:
    return Written((metric("external", 5), metric("pods", 5))).made()


def test_what_is_asked_and_answered() -> None:
    hpa = written()
    source = hpa.spec.metrics[0].external
    assert source is not None
    assert queries(hpa) == {QUERY}
    assert external(source, hpa, {QUERY: Reading(value=7)}) == Reading(value=7)
    unknown = external(source, hpa, {QUERY: Reading(failure="no series matches")})
    assert unknown.failure == f"unable to get external metric default/q/nil: no series matches ({QUERY})"
    assert "names no Prometheus" in external(source, hpa, {}).failure


def test_a_query_that_cannot_be_made() -> None:
    hpa = written()
    source = hpa.spec.metrics[0].external
    assert source is not None
    selector = msgspec.convert({"name": "q", "selector": {"matchLabels": {"a.b": "c"}}}, type(source.metric))
    source = msgspec.structs.replace(source, metric=selector)
    assert "'a.b' is no label" in external(source, hpa, {}).failure.replace('"', "'")
