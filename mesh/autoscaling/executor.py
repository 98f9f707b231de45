"""Carrying out a decision: who is to go, and telling the target; or saying why nothing is done."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mesh.autoscaling import victims
from mesh.autoscaling.decision import PAUSE, Decision, carried_out, held_back, unreachable
from mesh.autoscaling.history import History
from mesh.autoscaling.scaler import Scaler
from mesh.autoscaling.target import SampleSource, Scale, ScaleTarget

log = logging.getLogger("weft.autoscaler")


class Executor:
    """What all decisions of one process go through."""

    def __init__(
        self, target: ScaleTarget, source: SampleSource, clock: Callable[[], float], standby: Callable[[], str] = str
    ) -> None:
        """`clock`: Unix seconds; `standby`: why another process acts, empty while this one does."""
        self.target = target
        self.source = source
        self.clock = clock
        self.dry_run = False
        self._standby = standby

    def held(self, scaler: Scaler) -> str:
        """Why nothing that `scaler` decides is done; empty: it is."""
        if scaler.paused:
            return f"{PAUSE}: paused"
        return "dry run" if self.dry_run else self._standby()

    async def read(self, scaler: Scaler) -> Scale | Decision:
        """What there is of its target, or the decision that nothing can be decided.

        That forgets the recommendations, so that nothing is taken away as soon as there is a target again.
        """
        workload = scaler.target
        try:
            return await self.target.read(workload)
        except KeyError:
            problem = f"{workload.kind} {workload.name} is not run here"
            message = f"the HPA controller was unable to get the target's current scale: {problem}"
            return unreachable(
                Decision(0, 0, history=History(changes=scaler.history.changes)), "FailedGetScale", message
            )

    async def carry_out(self, scaler: Scaler, scale: Scale, decision: Decision) -> Decision:
        """`decision`, and what became of it."""
        if decision.desired == decision.current:
            return decision
        if why := self.held(scaler):
            return held_back(decision, why)
        loads = self.source.replicas({scaler.target})
        there = sum(not copy.terminating for copy in scale.replicas)
        going = victims.choose(scale.replicas, there - decision.desired, loads)
        try:
            await self.target.set(scaler.target, decision.desired, going)
        except (KeyError, OSError) as problem:
            why = "it is gone" if isinstance(problem, KeyError) else str(problem)
            message = f"the HPA controller was unable to update the target scale: {why}"
            return unreachable(decision, "FailedUpdateScale", message)
        extra = {**names(scaler), "from": decision.current, "to": decision.desired, "reason": decision.reason}
        log.info("workload is scaled", extra=extra)
        return carried_out(decision, self.clock())

    async def wake(self, scaler: Scaler) -> bool:
        """Have a target that sleeps at zero get its first replica now, and more if much waits; False: nobody here does.

        Called again while requests wait, so that what comes meanwhile counts before there is anything to measure.
        """
        if scaler.least > 0 or self.held(scaler):
            return False
        scale = await self.read(scaler)
        if isinstance(scale, Decision):
            return False
        scaler.awaited = now = self.clock()
        current = scale.desired
        wanted = max(1, scaler.at_once(self.source.services(scaler.services), current, now))
        if current >= wanted:
            return True
        decision = Decision(
            current, wanted, "requests are waiting", history=scaler.history.recommended(wanted, now),
            steps=(f"now {current}", f"requests are waiting: {wanted}", f"desired {wanted}"),
        )  # fmt: skip
        self.decided(scaler, await self.carry_out(scaler, scale, decision))
        return current > 0 or (scaler.decision is not None and scaler.decision.word == "SucceededRescale")

    def decided(self, scaler: Scaler, decision: Decision) -> None:
        """This is the last decision of `scaler`."""
        before, scaler.decision, scaler.at = scaler.decision, decision, self.clock()
        if before is None or before.word != decision.word:
            log.info("autoscaler decided", extra={**names(scaler), "reason": decision.word})


def names(scaler: Scaler) -> dict[str, str]:
    """Who it is, for the log."""
    return {"autoscaler": str(scaler.name)}
