"""Stabilization and rates (autoscaling/v2, HPAScalingRules): what holds back the number that metrics ask for.

Each direction has a window, in which the most cautious recommendation counts, and policies, which limit the
change since a period's start.  That start is the size now without all changes in the period, up and down.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from config.resources.autoscaling import Behavior, HorizontalPodAutoscalerSpec, ScalingPolicy, ScalingRules
from mesh.autoscaling.history import History

Select = Literal["Max", "Min", "Disabled"]
DOWN_WINDOW = 300.0
"""Seconds, unless the object says otherwise."""
UP_POLICIES = (
    ScalingPolicy(type="Pods", value=4, period_seconds=15),
    ScalingPolicy(type="Percent", value=100, period_seconds=15),
)
DOWN_POLICIES = (ScalingPolicy(type="Percent", value=100, period_seconds=15),)


class Rules(NamedTuple):
    """Of one direction, complete."""

    window: float
    select: Select
    policies: tuple[ScalingPolicy, ...]


class Verdict(NamedTuple):
    """A number of replicas, and what Kubernetes' conditions call the rule that made it so."""

    replicas: int
    reason: str
    message: str


def rules(behavior: Behavior) -> tuple[Rules, Rules]:
    """Those for up and for down, with the defaults of what is not written."""
    up, down = behavior.scale_up or ScalingRules(), behavior.scale_down or ScalingRules()
    return (
        Rules(_window(up, 0.0), up.select_policy, up.policies or UP_POLICIES),
        Rules(_window(down, DOWN_WINDOW), down.select_policy, down.policies or DOWN_POLICIES),
    )


def stabilized(wanted: int, current: int, behavior: Behavior, history: History, now: float) -> Verdict:
    """`wanted`, but no higher than any recommendation in the window for up, nor lower than any in that for down."""
    up, down = rules(behavior)
    highest = min((wanted, *(n for n, at in history.recommendations.items() if at > now - up.window)))
    lowest = max((wanted, *(n for n, at in history.recommendations.items() if at > now - down.window)))
    settled = min(max(current, highest), lowest)
    if settled == wanted:
        return Verdict(settled, "ReadyForNewScale", "recommended size matches current size")
    if wanted >= current:
        message = "recent recommendations were lower than current one, applying the lowest recent recommendation"
        return Verdict(settled, "ScaleUpStabilized", message)
    message = "recent recommendations were higher than current one, applying the highest recent recommendation"
    return Verdict(settled, "ScaleDownStabilized", message)


def limited(wanted: int, current: int, spec: HorizontalPodAutoscalerSpec, history: History, now: float) -> Verdict:
    """`wanted` within what the policies allow now and between the bounds; a limit never crosses the current size."""
    up, down = rules(spec.behavior)
    if wanted > current:
        limit = max(current, _limit_up(current, up, history, now))
        if limit < spec.max_replicas:
            most = Verdict(limit, "ScaleUpLimit", _TOO_FAST.format("increasing"))
        else:
            message = "the desired replica count is more than the maximum replica count"
            most = Verdict(spec.max_replicas, "TooManyReplicas", message)
        if wanted > most.replicas:
            return most
    if wanted < current:
        limit = min(current, _limit_down(current, down, history, now))
        if limit > spec.min_replicas:
            least = Verdict(limit, "ScaleDownLimit", _TOO_FAST.format("decreasing"))
        else:
            message = "the desired replica count is less than the minimum replica count"
            least = Verdict(spec.min_replicas, "TooFewReplicas", message)
        if wanted < least.replicas:
            return least
    return Verdict(wanted, "DesiredWithinRange", "the desired count is within the acceptable range")


_TOO_FAST = "the desired replica count is {} faster than the maximum scale rate"


def _window(rules: ScalingRules, default: float) -> float:
    return default if rules.stabilization_window_seconds is None else float(rules.stabilization_window_seconds)


def _limit_up(current: int, rules: Rules, history: History, now: float) -> int:
    if rules.select == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        start = current - history.net(policy.period_seconds, now)
        # Rounded up, or a small percentage of a few replicas would never add one.
        percent = -(-start * (100 + policy.value) // 100)
        limits.append(start + policy.value if policy.type == "Pods" else percent)
    return max(limits) if rules.select == "Max" else min(limits)


def _limit_down(current: int, rules: Rules, history: History, now: float) -> int:
    if rules.select == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        start = current - history.net(policy.period_seconds, now)
        limits.append(start - policy.value if policy.type == "Pods" else start * (100 - policy.value) // 100)
    return min(limits) if rules.select == "Max" else max(limits)
