"""Who may be picked: a pure function of readiness, weights and what this proxy set aside.

1. Ready endpoints that are not terminating; with publishNotReadyAddresses, all endpoints.
2. When there is none: terminating endpoints that still serve (Kubernetes' ProxyTerminatingEndpoints), so that
   a Service whose last replicas are stopping answers until they have stopped.
3. Of these, weight 0 gets nothing unless all have weight 0.
4. Of these, the ones set aside by this proxy are left out, unless that would leave nobody: an endpoint that
   refused a moment ago is a better bet than a certain 503.

The outcome is computed when one of its inputs changes, never per pick.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, TypeVar

from discovery.endpoint import Endpoint


class Judged(Protocol):
    endpoint: Endpoint
    set_aside_until: float
    weight: int


JudgedT = TypeVar("JudgedT", bound=Judged)


def admitted(states: Collection[JudgedT], publish_not_ready: bool = False) -> list[JudgedT]:
    """Rules 1 and 2: whom discovery lets us use, in the order given."""
    if publish_not_ready:
        return list(states)
    ready = [state for state in states if state.endpoint.ready and not state.endpoint.terminating]
    return ready or [state for state in states if state.endpoint.serving and state.endpoint.terminating]


def eligible(candidates: list[JudgedT], now: float) -> list[JudgedT]:
    """Rules 3 and 4: whom the balancer may pick among the admitted; empty only when `candidates` is."""
    return (
        [state for state in candidates if state.weight > 0 and state.set_aside_until <= now]
        or [state for state in candidates if state.weight > 0]
        or [state for state in candidates if state.set_aside_until <= now]
        or candidates
    )
