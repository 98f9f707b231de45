"""Metrics of type External: an answer of Prometheus (HTTP API, ``/api/v1/query``) as a reading.

A scalar or an instant vector, whose values add up, is a number.  No series, or a number that is none, is a metric that
is not known: that blocks only the way down.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from config.promql import query_of
from config.resources.autoscaling import ExternalMetricSource, HorizontalPodAutoscaler
from mesh.autoscaling.proposal import printed
from mesh.autoscaling.reading import Reading, amount

Answers = Mapping[str, Reading]
"""By query."""
NO_PROMETHEUS = "the NodeConfig names no Prometheus (spec.autoscaler.prometheus.url)"
_MOST = 1e18
"""What is more has no sense as a load, and is beyond what can be counted with."""


def queries(hpa: HorizontalPodAutoscaler) -> frozenset[str]:
    """What is to be asked for `hpa`."""
    found = (_query(metric.external, hpa)[0] for metric in hpa.spec.metrics if metric.external)
    return frozenset(query for query in found if query)


def external(source: ExternalMetricSource, hpa: HorizontalPodAutoscaler, answers: Answers) -> Reading:
    """What was answered for `source`, or why nothing was."""
    query, problem = _query(source, hpa)
    answer = answers.get(query)
    if answer is None or answer.failure:
        why = problem or (answer.failure if answer is not None else NO_PROMETHEUS)
        asked = f" ({query})" if query else ""
        metric, namespace = source.metric, hpa.metadata.namespace
        what = f"unable to get external metric {namespace}/{metric.name}/{printed(metric.selector)}"
        return Reading(failure=f"{what}: {why}{asked}")
    return answer


def number(body: bytes) -> Reading:
    """What the body of an answer says."""
    try:
        said = msgspec.json.decode(body)
        if said.get("status") != "success":
            return Reading(failure=f"Prometheus says: {str(said.get('error', 'no success'))[:300]}")
        value = math.fsum(_values(said["data"]))
    except _NoNumber as problem:
        return Reading(failure=str(problem))
    except (msgspec.DecodeError, UnicodeError, LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return Reading(failure="what answers is no Prometheus")
    if not math.isfinite(value) or not 0 <= value <= _MOST:
        return Reading(failure=f"the value is {value:g}")
    return Reading(value=amount(value))


class _NoNumber(Exception):
    """The text says why."""


def _values(data: Any) -> Iterable[float]:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return (float(result[1]),)
    if kind != "vector":
        raise _NoNumber(f"the answer is a {kind}, which is no number")
    if not result:
        raise _NoNumber("no series matches")
    return [float(each["value"][1]) for each in result]


def _query(source: ExternalMetricSource, hpa: HorizontalPodAutoscaler) -> tuple[str, str]:
    """The query, or why there is none."""
    try:
        return query_of(source.metric, hpa.metadata.namespace, hpa.metadata.annotations), ""
    except ValueError as problem:
        return "", str(problem)
