"""The hooks of a container (Kubernetes' container lifecycle hooks), each carried out once, as a probe is.

postStart begins as soon as the container runs; as with kubelet, nothing is probed and nothing counts as ready before
it is done, and when it fails the container is ended and started again.  Kubernetes does not bound it; here it is.

The time of preStop is part of the grace period.  When it fails, or is not done by the end of that, the container is
ended all the same; of a hook that used it all up, the program has two seconds more for its stop signal.
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
START_SECONDS: Final = 600.0
"""For a postStart hook: after so long, the default of progressDeadlineSeconds, a rollout has given up too."""


def patience(hook: LifecycleHandler) -> float:
    """Seconds in which a postStart hook has to be done; what waits may wait for as long as it says."""
    return max(START_SECONDS, hook.sleep.seconds + 1.0 if hook.sleep else 0.0)


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
        return f"it was not done within {seconds:g} s"
    return "" if found.outcome is Outcome.SUCCESS else found.reason
