"""Who may be picked: a pure function of readiness, place, tiers, weights and what this proxy concluded.

1. Ready endpoints that are not terminating; with publishNotReadyAddresses, all endpoints.  Where a Service's
   traffic policy is Local, only those of this node.
2. When there is none: terminating endpoints that still serve (Kubernetes' ProxyTerminatingEndpoints), so that
   a Service whose last replicas are stopping answers until they have stopped.
3. Of these, weight 0 gets nothing unless all have weight 0.
4. What this proxy concluded alone, by checks and by ejection, takes some away.  If too few are left in every
   tier, that conclusion is distrusted and disregarded (panic).
5. Tiers (SRV priorities) are taken in order, until one has enough left.
6. Of these, the near ones go first: those that EndpointSlices hint at for this node, or for its zone, if every endpoint
   has such a hint (as kube-proxy does it); else, if nearness is asked for, those of this node, of this zone, then all.

The outcome is computed when one of its inputs changes, never per pick.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal, Protocol, TypeVar

import msgspec

from discovery.endpoint import Endpoint, Hints


class Judged(Protocol):
    endpoint: Endpoint
    set_aside_until: float
    unhealthy: bool
    """An active check of this proxy says so, or has said nothing yet."""


JudgedT = TypeVar("JudgedT", bound=Judged)


class Rules(msgspec.Struct, frozen=True):
    """What a Service, its policies and this node come to."""

    local_only: bool = False
    """A traffic policy of Local: nobody but endpoints of this node."""
    node: str = ""
    zone: str = ""
    """Of this node; empty: not known, and nothing is near."""
    prefer: Literal["Any", "Zone", "Node"] = "Any"
    hints: bool = True
    """Whether those of EndpointSlices are heeded; where a traffic policy is Local they never are."""
    panic_below: int = 50
    """Percent of those that discovery lets us use."""
    failover_below: int = 50
    """Percent of a tier."""


ANYWHERE = Rules()


def admitted(states: Collection[JudgedT], publish_not_ready: bool = False, rules: Rules = ANYWHERE) -> list[JudgedT]:
    """Rules 1 and 2: whom discovery lets us use, in the order given."""
    if rules.local_only:
        states = [state for state in states if rules.node and state.endpoint.node == rules.node]
    if publish_not_ready:
        return list(states)
    ready = [state for state in states if (endpoint := state.endpoint).ready and not endpoint.terminating]
    return ready or [state for state in states if state.endpoint.serving and state.endpoint.terminating]


def eligible(candidates: list[JudgedT], now: float, rules: Rules = ANYWHERE) -> list[JudgedT]:
    """Rules 3 to 6: whom the balancer may pick among the admitted; empty only when checks and panic say so."""
    if _all_alike(candidates, now):
        return _near(candidates, candidates, rules)
    weighed = [state for state in candidates if state.endpoint.weight > 0] or candidates
    tiers = _tiers(weighed)
    left = [[state for state in tier if not state.unhealthy and state.set_aside_until <= now] for tier in tiers]
    if not any(_enough(some, tier, rules.panic_below) for some, tier in zip(left, tiers, strict=True)):
        # Ejection alone never takes the last one away, whatever panic is set to.
        left = tiers if rules.panic_below else [[state for state in tier if not state.unhealthy] for tier in tiers]
    return _near(_taken(left, tiers, rules.failover_below), candidates, rules)


def _all_alike(states: list[JudgedT], now: float) -> bool:
    """Whether rules 3 to 5 leave all, as they mostly do: one look at each of perhaps thousands."""
    tier = states[0].endpoint.tier if states else 0
    alike = [
        state
        for state in states
        if (endpoint := state.endpoint).weight > 0
        and endpoint.tier == tier
        and not state.unhealthy
        and state.set_aside_until <= now
    ]
    return len(alike) == len(states)


def _tiers(states: list[JudgedT]) -> list[list[JudgedT]]:
    numbers = sorted({state.endpoint.tier for state in states})
    if len(numbers) <= 1:
        return [states]
    return [[state for state in states if state.endpoint.tier == number] for number in numbers]


def _enough(some: list[JudgedT], tier: list[JudgedT], percent: int) -> bool:
    """Whether there is one, and they are at least `percent` of the tier."""
    return bool(some) and len(some) * 100 >= len(tier) * percent


def _taken(left: list[list[JudgedT]], tiers: list[list[JudgedT]], percent: int) -> list[JudgedT]:
    taken: list[JudgedT] = []
    for some, tier in zip(left, tiers, strict=True):
        taken += some
        if _enough(some, tier, percent):
            break
    return taken


def hinted_at(candidates: Collection[JudgedT], rules: Rules) -> list[Callable[[Hints], bool]]:
    """The kinds of hints that every endpoint has, nodes first, each as whether it is for here; none: no hint counts."""
    heeded = rules.hints and not rules.local_only
    given = [hints for state in candidates if (hints := state.endpoint.hints)] if heeded else []
    kinds: list[Callable[[Hints], bool]] = []
    if given and len(given) == len(candidates):
        if all(hints.nodes for hints in given):
            kinds.append(lambda hints: rules.node in hints.nodes)
        if all(hints.zones for hints in given):
            kinds.append(lambda hints: rules.zone in hints.zones)
    return kinds


def _near(states: list[JudgedT], candidates: list[JudgedT], rules: Rules) -> list[JudgedT]:
    near: list[JudgedT] = []
    if candidates and candidates[0].endpoint.hints is not None and (kinds := hinted_at(candidates, rules)):
        for is_for_here in kinds:
            near = near or [state for state in states if (hints := state.endpoint.hints) and is_for_here(hints)]
        return near or states
    if rules.prefer == "Node" and rules.node:
        near = [state for state in states if state.endpoint.node == rules.node]
    if not near and rules.prefer != "Any" and rules.zone:
        near = [state for state in states if state.endpoint.zone == rules.zone]
    return near or states
