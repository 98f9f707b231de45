"""Who implements the seam has all of it, with the parameters that are given."""

from __future__ import annotations

import inspect

import pytest

from discovery.platforms.process import ProcessRunner
from discovery.platforms.replica import LocalReplica
from discovery.workloads.runner import ReplicaHandle, Runner, Unrunnable
from tests.discovery.workloads.runners import FakeReplica, FakeRunner


def public(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if not name.startswith("_")]


@pytest.mark.parametrize("fits", [ProcessRunner, FakeRunner])
@pytest.mark.parametrize("name", [name for name in public(Runner) if name != "known"])
def test_runners(name: str, fits: type) -> None:
    wanted = list(inspect.signature(getattr(Runner, name)).parameters)
    assert list(inspect.signature(getattr(fits, name)).parameters) == wanted


@pytest.mark.parametrize("fits", [LocalReplica, FakeReplica])
@pytest.mark.parametrize("name", ["terminate", "status", "usage"])
def test_handles(name: str, fits: type) -> None:
    wanted = list(inspect.signature(getattr(ReplicaHandle, name)).parameters)
    assert list(inspect.signature(getattr(fits, name)).parameters) == wanted


def test_unrunnable_says_why() -> None:
    assert str(Unrunnable(("one", "two"))) == "one; two"
