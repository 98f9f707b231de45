"""Which replica counts how: the groups of Kubernetes' autoscaler."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.autoscaling.census import CPU_INITIALIZATION, INITIAL_READINESS, census
from mesh.autoscaling.reading import Reading
from tests.mesh.autoscaling.objects import NOW, Fake

YOUNG = NOW - CPU_INITIALIZATION + 1
OLD = NOW - CPU_INITIALIZATION
# What it is about; the replica; whether it has a sample; its group for cpu, and for anything else.
GROUPS: list[tuple[str, dict[str, Any], bool, str, str]] = [
    ("ready", {}, True, "counted", "counted"),
    ("no sample", {}, False, "missing", "missing"),
    ("terminating", {"terminating": True}, True, "ignored", "ignored"),
    ("terminating and pending", {"terminating": True, "pending": True}, False, "ignored", "ignored"),
    ("pending", {"pending": True}, True, "unready", "unready"),
    ("not ready and no sample", {"ready": False}, False, "missing", "missing"),
    ("young and not ready", {"ready": False, "started": YOUNG, "since": NOW - 200}, True, "unready", "counted"),
    ("young, ready for a window", {"started": YOUNG, "since": NOW - 15}, True, "counted", "counted"),
    ("young, ready for less", {"started": YOUNG, "since": NOW - 14}, True, "unready", "counted"),
    ("old, ready for less", {"started": OLD, "since": NOW - 1}, True, "counted", "counted"),
    (
        "old, never ready",
        {"ready": False, "started": OLD, "since": OLD + INITIAL_READINESS - 1},
        True,
        "unready",
        "counted",
    ),
    (
        "old, not ready any more",
        {"ready": False, "started": OLD, "since": OLD + INITIAL_READINESS},
        True,
        "counted",
        "counted",
    ),
]


@pytest.mark.parametrize("row", GROUPS, ids=lambda row: row[0])
def test_groups(row: tuple[str, dict[str, Any], bool, str, str]) -> None:
    _, facts, sampled, cpu, other = row
    reading = Reading({"a": 1} if sampled else {}, at=NOW, window=15)
    for is_cpu, expected in ((True, cpu), (False, other)):
        groups = census((Fake("a", **facts),), reading, NOW, cpu=is_cpu)
        assert groups._asdict() == {**dict.fromkeys(groups._fields, ()), expected: ("a",)}
