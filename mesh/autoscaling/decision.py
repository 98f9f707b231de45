"""The whole decision of a HorizontalPodAutoscaler (autoscaling/v2), as a pure function.

Of several metrics the one that asks for most wins; one that fails only forbids to scale down.  What they ask for is
stabilized, limited and bounded (`behavior`).  Conditions and their reasons are worded as Kubernetes words them, and
`steps` tell what each rule did to the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from config.quantity import parse_quantity
from config.resources.autoscaling import HorizontalPodAutoscaler, ScalingRules
from mesh.autoscaling import behavior
from mesh.autoscaling.history import History
from mesh.autoscaling.proposal import Circumstances, Proposal, propose
from mesh.autoscaling.reading import Reading, Tolerance
from mesh.autoscaling.target import Scale

TOLERANCE = 0.1
PAUSE = "weft.dev/autoscale"
"""Annotation of a HorizontalPodAutoscaler; with the value ``paused`` it decides and changes nothing."""


ASLEEP = "ScaledToZero"
"""Reason of the condition ScalingActive where there is nothing to scale, and nothing wrong with that."""


class Condition(NamedTuple):
    type: str
    """AbleToScale, ScalingActive or ScalingLimited."""
    status: bool
    reason: str
    message: str


class Decision(msgspec.Struct, frozen=True):
    current: int
    desired: int
    reason: str = ""
    """Why there is a change, as in Kubernetes' event; empty when there is none."""
    conditions: tuple[Condition, ...] = ()
    """At most one of each type."""
    proposals: tuple[Proposal, ...] = ()
    steps: tuple[str, ...] = ()
    history: History = History()
    """What is to be remembered."""

    @property
    def word(self) -> str:
        """The one reason that says most about the number."""
        by_type = {condition.type: condition for condition in self.conditions}
        active, limited = by_type.get("ScalingActive"), by_type.get("ScalingLimited")
        if active is not None and not active.status:
            return active.reason
        if limited is not None and limited.status:
            return limited.reason
        able = by_type.get("AbleToScale")
        return able.reason if able is not None else ""


def decide(
    hpa: HorizontalPodAutoscaler,
    scale: Scale,
    readings: Sequence[Reading],
    history: History,
    now: float,
    *,
    busy: bool = False,
    held: str = "",
) -> Decision:
    """What `hpa` makes of one reading for each of its metrics; `now` in Unix seconds.

    `busy`: requests are in flight, or came lately, whatever the metrics are of: the last replica stays.
    `held`: why nothing of it will be carried out, empty if it will.
    Whoever carries it out says so by `carried_out`, so that the change is remembered.
    """
    spec, current = hpa.spec, scale.desired
    if not history.recommendations:
        history = history.recommended(current, now)
    able = Condition(
        "AbleToScale", True, "SucceededGetScale", "the HPA controller was able to get the target's current scale"
    )
    begun = Decision(current, current, conditions=(able,), steps=(f"now {current}",), history=history)
    if current == 0 and spec.min_replicas != 0:
        return amended(begun, Condition("ScalingActive", False, "ScalingDisabled", _SWITCHED_OFF), step=_SWITCHED_OFF)
    if current > spec.max_replicas:
        return _bounded(begun, spec.max_replicas, "Current number of replicas above Spec.MaxReplicas")
    if current < spec.min_replicas:
        return _bounded(begun, spec.min_replicas, "Current number of replicas below Spec.MinReplicas")
    known = Circumstances(current, scale.replicas, now, tolerance(hpa))
    proposals = tuple(propose(metric, reading, known) for metric, reading in zip(spec.metrics, readings, strict=True))
    return _judge(hpa, msgspec.structs.replace(begun, proposals=proposals), now, busy, held)


def carried_out(decision: Decision, now: float) -> Decision:
    """`decision`, now that the target has been told."""
    message = f"the HPA controller was able to update the target scale to {decision.desired}"
    history = decision.history.changed(decision.desired - decision.current, now)
    done = amended(decision, Condition("AbleToScale", True, "SucceededRescale", message))
    return msgspec.structs.replace(done, history=history)


def held_back(decision: Decision, why: str) -> Decision:
    """`decision`, which nobody is to carry out."""
    if decision.desired == decision.current:
        return decision
    return amended(decision, step=f"not carried out: {why}")


def unreachable(decision: Decision, reason: str, message: str) -> Decision:
    """`decision`, whose target could not be read (FailedGetScale) or told (FailedUpdateScale)."""
    return amended(decision, Condition("AbleToScale", False, reason, message), step=message)


def amended(decision: Decision, *conditions: Condition, step: str = "") -> Decision:
    """`decision` with these conditions in the place of those of the same type, and one more step."""
    by_type = {condition.type: condition for condition in (*decision.conditions, *conditions)}
    steps = (*decision.steps, step) if step else decision.steps
    return msgspec.structs.replace(decision, conditions=tuple(by_type.values()), steps=steps)


def tolerance(hpa: HorizontalPodAutoscaler) -> Tolerance:
    behavior = hpa.spec.behavior
    return Tolerance(_tolerance(behavior.scale_up), _tolerance(behavior.scale_down))


_AT_ZERO = "the target is scaled to zero, and a request wakes it"
_HELD_AT_ZERO = "the target is scaled to zero, and no request wakes it: "
_SWITCHED_OFF = "scaling is disabled since the replica count of the target is zero"


def _tolerance(rules: ScalingRules | None) -> float:
    return parse_quantity(rules.tolerance) if rules is not None and rules.tolerance else TOLERANCE


def _judge(hpa: HorizontalPodAutoscaler, decision: Decision, now: float, busy: bool, held: str) -> Decision:
    """Join the proposals to a number, and pass it through what holds it back."""
    spec, current = hpa.spec, decision.current
    good = [proposal for proposal in decision.proposals if not proposal.failure]
    failed = [proposal for proposal in decision.proposals if proposal.failure]
    winner = max(good, key=lambda proposal: proposal.replicas, default=None)  # the first of equals
    if winner is None or (failed and winner.replicas < current):
        problem = f"the HPA was unable to compute the replica count: {failed[0].failure}"
        condition = Condition("ScalingActive", False, failed[0].reason, problem)
        kept = f"{failed[0].metric} is not known" + (", so nothing is taken away" if good else "")
        return amended(decision, condition, step=f"{kept}: {current} as now")
    found = f"the HPA was able to successfully calculate a replica count from {winner.metric}"
    decision = amended(
        decision,
        Condition("ScalingActive", True, "ValidMetricFound", found),
        step=f"{winner.metric} asks for {winner.replicas}",
    )
    wanted = winner.replicas
    if not wanted and busy:
        wanted = 1
        decision = amended(decision, step="requests are in flight or came lately: 1")
    elif not wanted and not current:
        asleep = f"{_HELD_AT_ZERO}{held}" if held else _AT_ZERO
        decision = amended(decision, Condition("ScalingActive", False, ASLEEP, asleep), step=asleep)
    settled = behavior.stabilized(wanted, current, spec.behavior, decision.history, now)
    if settled.reason != "ReadyForNewScale":
        decision = amended(decision, step=f"{settled.reason}: {settled.replicas}")
    limited = behavior.limited(settled.replicas, current, spec, decision.history, now)
    is_limited = limited.replicas != settled.replicas
    if is_limited:
        decision = amended(decision, step=f"{limited.reason}: {limited.replicas}")
    decision = amended(
        decision,
        Condition("AbleToScale", True, settled.reason, settled.message),
        Condition("ScalingLimited", is_limited, limited.reason, limited.message),
        step=f"desired {limited.replicas}",
    )
    return msgspec.structs.replace(
        decision,
        desired=limited.replicas,
        reason=_why(current, limited.replicas, winner.metric),
        history=decision.history.recommended(wanted, now),
    )


def _why(current: int, desired: int, metric: str) -> str:
    if desired > current:
        return f"{metric} above target"
    return "All metrics below target" if desired < current else ""


def _bounded(decision: Decision, desired: int, reason: str) -> Decision:
    bounded = amended(decision, step=f"{reason}: {desired}")
    return msgspec.structs.replace(bounded, desired=desired, reason=reason)
