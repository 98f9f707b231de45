"""Filters of a route as policies ask for them, and the Backends that they may lead to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from config.filters import RateLimitPolicy
from config.meta import IntOrString
from config.policies import TargetRef, TrafficPolicySpec
from mesh.backend import Backend
from mesh.filters.chain import Filters
from mesh.filters.making import Where, filters_of
from mesh.filters.rate_limit import RateLimit
from mesh.plan import BackendKey, BackendPlan
from tests.mesh.dialogue import Mesh


class Around:
    """Where splits and mirrors lead: to a Backend that a test fills later."""

    def __init__(self) -> None:
        self.others: dict[str, Backend] = {}

    def backend(self, service: str, _port: IntOrString | None) -> Backend:
        return self.others.setdefault(service, Backend(BackendKey("default", service, "http"), time.monotonic))

    def rate_limit(self, policy: RateLimitPolicy) -> RateLimit:
        return RateLimit(policy)

    def fill(self, service: str, world: Mesh, number: int) -> None:
        """Have `service` lead to an endpoint of `world`, which then is not its own any more."""
        backend = self.others[service]
        backend.apply(BackendPlan(backend.key, (world.addresses[number],)))
        world.use(*(each for each in world.addresses if each is not world.addresses[number]))


def filters(
    around: Around | None = None, chance: Callable[[], float] = lambda: 0.0, matched: str = "", **said: Any
) -> Filters:
    """Of a route whose rule matched this beginning of the path; `said` are groups of a TrafficPolicy."""
    spec = TrafficPolicySpec(TargetRef("Service", "shop"), **said)
    made = filters_of(spec, Where(matched.encode()), around or Around(), chance)
    assert made is not None
    return made
