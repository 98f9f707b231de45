"""The fast lane's decision (Knative's pod autoscaler), as a pure function: replicas by requests in flight.

The mean over the stable window, divided by what a replica is to have, is how many there are to be.  When the mean over
the short panic window asks for so many times the ready replicas, it counts too, and nothing is taken away until a whole
stable window has passed without that.  Each decision may multiply or divide the ready replicas only so far.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from config.scaling import ScalingPolicy
from mesh.autoscaling.decision import Condition, Decision, amended
from mesh.autoscaling.history import History
from mesh.autoscaling.proposal import Proposal

METRIC = "concurrency"


class Measured(NamedTuple):
    """Requests in flight of all replicas together."""

    stable: float
    """Mean over the stable window."""
    panic: float
    """Mean over the panic window."""
    seconds: float
    """Since the first of it was measured, at most the stable window."""


class Panic(msgspec.Struct, frozen=True):
    """What is remembered while there is panic."""

    since: float
    """When the threshold was reached for the last time."""
    most: int
    """The largest number of replicas that was wanted meanwhile."""


class Situation(NamedTuple):
    """What a decision depends on."""

    desired: int
    """Replicas that there are to be now."""
    ready: int
    measured: Measured | None
    """None: nothing was."""
    now: float
    """Seconds that only go forward."""


class Verdict(NamedTuple):
    decision: Decision
    panic: Panic | None


def begin(desired: int, now: float) -> Panic | None:
    """A fresh one that finds several replicas takes none away before it has seen a whole window, as in panic."""
    return Panic(now, desired) if desired > 1 else None


def decide(policy: ScalingPolicy, situation: Situation, panic: Panic | None, history: History) -> Verdict:
    """What `policy` makes of `situation`; `panic` and `history` are what was remembered of the last decision."""
    desired, ready, measured, now = situation
    able = Condition("AbleToScale", True, "SucceededGetScale", "the target's current scale is known")
    begun = Decision(desired, desired, conditions=(able,), history=history)
    if measured is None:
        unknown = Condition("ScalingActive", False, "NoMetric", "nothing has been measured yet")
        return Verdict(amended(begun, unknown, step="nothing has been measured yet"), panic)
    making = _Making(policy, max(1, ready))
    making.steps.append(f"now {desired}, of which {ready} ready; {making.each:g} for each replica")
    wanted = making.wanted("window", measured.stable)
    urgent = making.wanted("panic window", measured.panic)
    panic = making.panic(measured.panic, panic, desired, now)
    if panic is not None:
        wanted = max(wanted, urgent, panic.most)
        panic = Panic(panic.since, wanted)
        making.steps.append(f"in panic nothing is taken away: {wanted}")
    history = history.recommended(wanted, now)
    held = max(n for n, at in history.recommendations.items() if at > now - policy.scale_down_delay or n == wanted)
    if held > wanted:
        making.steps.append(f"scaleDownDelay: {held}")
    if held == 0 and desired > 0 and measured.seconds < policy.window:
        held = 1
        making.steps.append("the last replica goes after a whole quiet window: 1")
    value = measured.stable if panic is None else max(measured.stable, measured.panic)
    decision = making.decided(begun, held, value, in_panic=panic is not None)
    return Verdict(msgspec.structs.replace(decision, history=history), panic)


def enough(policy: ScalingPolicy, in_flight: float) -> int:
    """As many replicas as `in_flight` asks for at once, where there is none that is ready."""
    most = min(policy.max_replicas, math.ceil(policy.max_scale_up_rate))
    return min(_asked(policy, in_flight), most)


class _Making:
    """One decision in the making, and its steps."""

    def __init__(self, policy: ScalingPolicy, base: int) -> None:
        """`base`: the ready replicas, at least one."""
        self.policy = policy
        self.base = base
        self.each = _each(policy)
        self.steps: list[str] = []

    def wanted(self, what: str, value: float) -> int:
        """What the mean over a window asks for, as far as one decision may go."""
        replicas = _asked(self.policy, value)
        most = math.ceil(self.base * self.policy.max_scale_up_rate)
        least = math.floor(self.base / self.policy.max_scale_down_rate)
        limited = min(max(replicas, least), most)
        self.steps.append(f"{what}: {value:.3f} in flight ask for {replicas}")
        if limited != replicas:
            self.steps.append(f"{what}: limited by the rate to {limited}")
        return limited

    def panic(self, value: float, panic: Panic | None, desired: int, now: float) -> Panic | None:
        """Whether there is panic, when the mean over the panic window is `value`."""
        percent = _asked(self.policy, value) * 100 / self.base
        if percent >= self.policy.panic_threshold_percent:
            self.steps.append(f"panic: {percent:.0f} % of the ready replicas are asked for")
            return Panic(now, desired if panic is None else panic.most)
        if panic is not None and now - panic.since > self.policy.window:
            self.steps.append("the panic is over: a whole window was quiet")
            return None
        return panic

    def decided(self, begun: Decision, held: int, value: float, *, in_panic: bool) -> Decision:
        """`held` between the bounds."""
        policy, current = self.policy, begun.current
        bounds = f"between {policy.min_replicas} and {policy.max_replicas}"
        desired = min(max(held, policy.min_replicas), policy.max_replicas)
        if desired != held:
            self.steps.append(f"{bounds}: {desired}")
        self.steps.append(f"desired {desired}")
        limit = "TooManyReplicas" if desired < held else "TooFewReplicas" if desired > held else "DesiredWithinRange"
        mode = "Panic" if in_panic else "Stable"
        conditions = [
            Condition("AbleToScale", True, mode, f"the fast lane is in {mode.lower()} mode"),
            Condition("ScalingActive", True, "ValidMetricFound", f"a replica count was calculated from {METRIC}"),
            Condition("ScalingLimited", desired != held, limit, f"the count is kept {bounds}"),
        ]
        there = max(1, current)
        proposal = Proposal(METRIC, held, value / there, self.each, value / (self.each * there))
        why = f"{METRIC} above target" if desired > current else f"{METRIC} below target"
        made = amended(begun, *conditions)
        reason, steps = why if desired != current else "", tuple(self.steps)
        return msgspec.structs.replace(made, desired=desired, reason=reason, proposals=(proposal,), steps=steps)


def _each(policy: ScalingPolicy) -> float:
    """What one replica is to have in flight."""
    return policy.target * policy.utilization_percent / 100


def _asked(policy: ScalingPolicy, in_flight: float) -> int:
    return math.ceil(in_flight / _each(policy))
