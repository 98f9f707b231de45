"""Whom to take when replicas must go: those whom it costs least, as the proxies see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesh.autoscaling.target import Copy, ReplicaLoad

_IDLE = ReplicaLoad()


def choose(copies: Sequence[Copy], count: int, loads: Mapping[str, ReplicaLoad]) -> tuple[str, ...]:
    """The ids of `count` of `copies`: first those that are not ready, then the emptiest; of equals the newest.

    Those that terminate already are none of them.
    """
    there = [copy for copy in copies if not copy.terminating]
    there.sort(key=lambda copy: (copy.ready, loads.get(copy.id, _IDLE).in_flight, -copy.started))
    return tuple(copy.id for copy in there[: max(0, count)])
