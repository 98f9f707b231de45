"""ProbeTarget: one container of one replica, as those who probe it need to know it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec

from config.balancing import HealthCheckPolicy
from config.resources.workloads import Probe

Execute = Callable[[tuple[str, ...], float], Awaitable[int]]
"""Runs a command in the container: (argv, timeout in seconds) to exit code; raises TimeoutError or OSError."""


class ProbeTarget(msgspec.Struct, frozen=True):
    replica_id: str
    container: str
    address: str
    ports: Mapping[str | int, int] = {}
    """containerPort number or name to the real port of this replica; a number that is absent means itself."""
    readiness: Probe | None = None
    liveness: Probe | None = None
    startup: Probe | None = None
    accept_ports: tuple[int, ...] = ()
    """Without a readiness probe: ready once all of these accept TCP (none: ready at once)."""
    check: HealthCheckPolicy | None = None
    """An endpoint's active check in place of probes; it is for the first of `accept_ports`."""
    send_proxy: Literal["v1", "v2"] | None = None
    """The PROXY protocol that connections of `check` begin with."""
    execute: Execute | None = None
    """None: exec probes cannot be run here, and say so."""
    remedy: str = ""
    """What helps when nothing accepts where it is probed."""
    age: float = 0.0
    """Seconds that it has run already: initial delays count from its start."""

    def port(self, wanted: int | str) -> int:
        """The real port behind a containerPort's number or name; raises LookupError for an unknown name."""
        real = self.ports.get(wanted, wanted)
        if isinstance(real, str):
            raise LookupError(f"no containerPort is named {real}")
        return real
