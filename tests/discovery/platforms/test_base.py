from __future__ import annotations

import inspect

import pytest

from discovery.endpoint import WorkloadRef
from discovery.platforms.base import Platform, WorkloadStatus
from discovery.platforms.process import ProcessPlatform

REF = WorkloadRef("Deployment", "default", "shop")

STATUSES = {
    "all ready": (WorkloadStatus(REF, desired=2, running=2, ready=2, updated=2), True),
    "nothing wanted": (WorkloadStatus(REF, desired=0), True),
    "one not ready": (WorkloadStatus(REF, desired=2, running=2, ready=1, updated=2), False),
    "ready, but of the old template": (WorkloadStatus(REF, desired=2, running=2, ready=2, updated=1), False),
    "old ones still there": (WorkloadStatus(REF, desired=2, running=3, ready=3, updated=2), True),
}


@pytest.mark.parametrize("name", STATUSES)
def test_complete(name: str) -> None:
    status, expected = STATUSES[name]
    assert status.complete is expected


@pytest.mark.parametrize("name", [name for name in vars(Platform) if not name.startswith("_")])
def test_the_process_platform_fits(name: str) -> None:
    wanted, offered = getattr(Platform, name), getattr(ProcessPlatform, name)
    assert inspect.signature(offered) == inspect.signature(wanted)
    assert inspect.iscoroutinefunction(offered) == inspect.iscoroutinefunction(wanted)
