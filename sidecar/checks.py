"""Active checks, joined: the data plane says which are wanted, the prober carries them out."""

from __future__ import annotations

from discovery.checking import Check, Checker
from discovery.prober import Prober
from mesh.compiler import Compiled
from mesh.health_checks import HealthChecks


class Checks:
    """Belongs to the prober, which ends what is under way."""

    def __init__(self, prober: Prober) -> None:
        self._wanted = HealthChecks()
        self._checker = Checker(prober, self._wanted.concluded)

    def put_in_force(self, compiled: Compiled) -> None:
        """To be called after each table."""
        if compiled.touched is not None and not any(plan.health_check for plan, _ in compiled.touched_pairs()):
            return
        self._checker.watch({Check(*check) for check in self._wanted.wanted(compiled.backends.values())})
