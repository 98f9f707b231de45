"""Faults for a share of the requests."""

from __future__ import annotations

import pytest

from config.filters import FaultAbort, FaultDelay, FaultPolicy
from mesh.filters.fault import Fault


@pytest.mark.parametrize(
    ("policy", "chance", "delay", "status"),
    [
        (FaultPolicy(), 0.0, 0.0, None),
        (FaultPolicy(delay=FaultDelay(0.2)), 0.999, 0.2, None),
        (FaultPolicy(delay=FaultDelay(0.2, 50)), 0.499, 0.2, None),
        (FaultPolicy(delay=FaultDelay(0.2, 50)), 0.5, 0.0, None),
        (FaultPolicy(delay=FaultDelay(0.2, 0)), 0.0, 0.0, None),
        (FaultPolicy(abort=FaultAbort()), 0.999, 0.0, 503),
        (FaultPolicy(abort=FaultAbort(418, 0.5)), 0.00499, 0.0, 418),
        (FaultPolicy(abort=FaultAbort(418, 0.5)), 0.005, 0.0, None),
    ],
)
def test_shares(policy: FaultPolicy, chance: float, delay: float, status: int | None) -> None:
    fault = Fault(policy)
    assert fault.delay(chance) == delay
    reply = fault.abort(chance)
    assert (reply and reply.reason.status) == status
