"""What the benchmark of a large registry does, with a fiftieth of its endpoints: everything is there, nothing twice."""

from __future__ import annotations

from benchmarks.questions import registry
from benchmarks.registering import EACH
from tests.interop.programs import needs

ENDPOINTS = 2000


@needs("taskset")
def test_a_registry_keeps_what_many_registered() -> None:
    found = {row.what: row.value for row in registry.measure(ENDPOINTS).rows}
    assert found["records"] == registry.RECORDS * ENDPOINTS + 3
    assert found["leases"] == ENDPOINTS // EACH
    assert found["records and serials lost by the restart"] == 0
