"""Platform and data plane fit the autoscaler's seams, by shape alone."""

from __future__ import annotations

import inspect

import pytest

from discovery.platforms.base import ContainerUsage as PlatformUsage
from discovery.platforms.base import ReplicaStatus, WorkloadStatus
from discovery.platforms.process import ProcessPlatform
from mesh.autoscaling.loads import LiveSource
from mesh.autoscaling.target import ContainerUsage, Copy, ReplicaLoad, SampleSource, Scale, ScaleTarget


def names(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("protocol", "fits"),
    [
        (Copy, ReplicaStatus),
        (Scale, WorkloadStatus),
        (ContainerUsage, PlatformUsage),
        (ScaleTarget, ProcessPlatform),
        (SampleSource, LiveSource),
    ],
)
def test_what_is_asked_for_is_there(protocol: type, fits: type) -> None:
    assert names(protocol)
    assert names(protocol) <= set(dir(fits))


@pytest.mark.parametrize("method", ["read", "set", "usage"])
def test_methods_take_what_they_are_given(method: str) -> None:
    wanted = list(inspect.signature(getattr(ScaleTarget, method)).parameters)
    assert list(inspect.signature(getattr(ProcessPlatform, method)).parameters) == wanted


def test_a_load_is_nothing_at_first() -> None:
    assert ReplicaLoad() == (0, 0)
