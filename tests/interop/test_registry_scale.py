"""The benchmark of a large registry, with a hundredth of its endpoints: everything is there, nothing twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.questions import registry
from benchmarks.registering import EACH
from tests.interop.programs import needs


@needs("taskset")
def test_a_registry_keeps_what_many_registered(
    size: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "CHANGES", size(20, registry.CHANGES))
    endpoints = size(1000, 2000)
    found = {row.what: row.value for row in registry.measure(endpoints).rows}
    assert found["records"] == registry.RECORDS * endpoints + 3
    assert found["leases"] == endpoints // EACH
    assert found["records and serials lost by the restart"] == 0
