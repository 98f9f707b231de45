"""Checks from a table to a real server and back to the Backend."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import cast

from config.balancing import HealthCheckPolicy
from discovery.endpoint import Endpoint
from discovery.prober import Prober
from mesh.backend import Backend
from mesh.compiler import Compiled
from mesh.plan import BackendKey, BackendPlan
from sidecar.checks import Checks
from tests.discovery.probes.servers import refused_port, serving, silent

KEY = BackendKey("default", "shop", "http")


def table(*backends: Backend) -> Compiled:
    """What of a table is looked at."""
    return cast("Compiled", SimpleNamespace(backends={each.key: each for each in backends}, touched=None))


def after(*backends: Backend) -> Compiled:
    """The same where only endpoints of these differ from the table before."""
    pairs = [(each.plan, each) for each in backends]
    there = {each.key: each for each in backends}
    return cast("Compiled", SimpleNamespace(backends=there, touched=(1,), touched_pairs=lambda: iter(pairs)))


async def test_what_is_well_is_used_and_what_is_not_is_left_out() -> None:
    loop = asyncio.get_running_loop()
    prober = Prober(random.Random(7), loop.time)
    checks = Checks(prober)
    try:
        async with asyncio.timeout(10), serving(silent) as port:
            alive, dead = Endpoint("127.0.0.1", port), Endpoint("127.0.0.1", refused_port())
            backend = Backend(KEY, loop.time)
            policy = HealthCheckPolicy(interval=0.05, timeout=0.5)
            backend.apply(BackendPlan(KEY, (alive, dead), health_check=policy))
            checks.put_in_force(table(backend))
            while [state.endpoint for state in backend.eligible] != [alive]:
                await asyncio.sleep(0.01)
            assert len(prober) == 2
            checks.put_in_force(after(Backend(KEY._replace(service="other"), loop.time)))
            assert len(prober) == 2
            backend.apply(BackendPlan(KEY, (alive,), health_check=policy))
            checks.put_in_force(after(backend))
            assert len(prober) == 1
            checks.put_in_force(table())
            assert len(prober) == 0
    finally:
        await prober.close()
