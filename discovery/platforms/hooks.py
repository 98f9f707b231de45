"""The preStop hook of a container (Kubernetes' container lifecycle hooks), carried out once, as a probe is.

Its time is part of the grace period.  When it fails, or is not done by the end of that, the container is ended all
the same; of a hook that used it all up, the program has two seconds more for its stop signal, as kubelet gives it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from config.resources.workloads import LifecycleHandler, Probe
from discovery.health import Outcome
from discovery.probes.action import perform
from discovery.probes.target import ProbeTarget

LEAST_SECONDS: Final = 2.0
"""From the stop signal to SIGKILL, whatever time a hook took."""


async def run(hook: LifecycleHandler, target: ProbeTarget, seconds: float) -> str:
    """Carry `hook` out in at most so many seconds; why it failed, empty if it did not."""
    try:
        async with asyncio.timeout(seconds):
            if hook.sleep is not None:
                await asyncio.sleep(hook.sleep.seconds)
                return ""
            action = Probe(http_get=hook.http_get, exec=hook.exec, timeout_seconds=int(seconds) + 1)
            found = await perform(action, target)
    except TimeoutError:
        return f"it was not done within the grace period of {seconds:g} s"
    return "" if found.outcome is Outcome.SUCCESS else found.reason
