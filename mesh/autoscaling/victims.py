"""Whom to take when replicas must go: those whom it costs least, as the proxies of all nodes see it.

Kubernetes' ReplicaSet takes the pending before the running, the unready before the ready, the cheap before the dear,
and of equals the one that has been ready for less time, then the newer.  What is dear is known here: the requests
and connections that a replica is serving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesh.autoscaling.target import Copy, ReplicaLoad

_IDLE = ReplicaLoad()


def choose(copies: Sequence[Copy], count: int, loads: Mapping[str, ReplicaLoad]) -> tuple[str, ...]:
    """The ids of `count` of `copies`, who goes first before the others; `loads` are sums over all data planes.

    Those that terminate already are none of them.
    """

    def cost(copy: Copy) -> tuple[bool, bool, int, float, float]:
        return not copy.pending, copy.ready, loads.get(copy.id, _IDLE).in_flight, -copy.since, -copy.started

    there = sorted((copy for copy in copies if not copy.terminating), key=cost)
    return tuple(copy.id for copy in there[: max(0, count)])
