"""The numbers that users and operators may count on: what a slip in one of them would change is seen nowhere else."""

from __future__ import annotations

import pytest

from config.scaling import ScalingPolicy
from config.settings import AutoscalerSettings, NodeConfigSpec, RegistrySettings
from discovery.registry import lease, names, responder, secondary, terms, transfer, tsig
from mesh import upload, waiting
from mesh.autoscaling import behavior, census, decision, fast_lane
from sidecar import follower, zone_copy
from sidecar.channel import node_end

FAST = ScalingPolicy()
PROMISED: dict[str, tuple[object, object]] = {
    "a node without contact asks twice a second": (secondary.RETRY_SECONDS, 0.5),
    "without a NOTIFY a node asks every second": (secondary.REFRESH_SECONDS, 1.0),
    "a copy is stale after half a minute": (zone_copy.STALE_SECONDS, 30.0),
    "EDE of a stale copy (RFC 8914)": (follower.STALE.code, 3),
    "EDE before the first sync": (responder.SERVER_NOT_READY.code, 14),
    "EDEs of one's own are private": (min(names.NOT_READY, names.SCALED_TO_ZERO) >= 49152, True),
    "SOA of all zones": (
        (transfer.REFRESH_SECONDS, transfer.RETRY_SECONDS, transfer.EXPIRE_SECONDS, transfer.MINIMUM_SECONDS),
        (1, 1, 604_800, 1),
    ),
    "a lease": ((terms.LEAST_SECONDS, RegistrySettings().lease, RegistrySettings().least_lease), (30, 30.0, 30.0)),
    "refreshes come at 80 to 85 % (RFC 9664)": ((terms.REFRESH_FROM, terms.REFRESH_UNTIL), (0.80, 0.85)),
    "of all records that may be silent": (lease.MOST_SILENT, 0.2),
    "clocks may differ (RFC 8945)": (tsig.FUDGE_SECONDS, 300),
    "a drain is confirmed within": ((node_end.CONFIRM_SECONDS, NodeConfigSpec().confirm_timeout), (5.0, 5.0)),
    "requests that are held": ((waiting.MOST, waiting.MOST_BYTES, upload.KEPT), (1000, 64 << 20, 64 << 10)),
    "of one client, a part of them; and for so long": ((1 / waiting.SHARE, waiting.PATIENCE), (0.2, 30.0)),
    "autoscalers decide every 15 s": (AutoscalerSettings().period, 15.0),
    "the fast lane decides every 2 s": (fast_lane.TICK_SECONDS, 2.0),
    "the fast lane's windows": ((FAST.window, FAST.window * FAST.panic_window_percent / 100), (60.0, 6.0)),
    "panic is at twice the capacity": (FAST.panic_threshold_percent, 200),
    "Kubernetes' tolerance, and its window down": ((decision.TOLERANCE, behavior.DOWN_WINDOW), (0.1, 300.0)),
    "Kubernetes' times of a starting pod": ((census.CPU_INITIALIZATION, census.INITIAL_READINESS), (300.0, 30.0)),
}


@pytest.mark.parametrize("what", PROMISED)
def test_what_is_promised(what: str) -> None:
    actual, promised = PROMISED[what]
    assert actual == promised
