"""What this proxy concludes about the endpoints of a Backend, from its own traffic and from active checks.

`Judgement` is the half of a Backend that decides nothing but this: who is ejected and for how long
(`mesh.outlier`), who is well (`mesh.health_checks`), and what weight one that is new has (`mesh.slow_start`).  Who
may be picked in the end is decided by `mesh.eligibility`.
"""

from __future__ import annotations

from collections.abc import Callable

from config.balancing import SlowStartPolicy, SuccessRatePolicy
from mesh import outlier, slow_start
from mesh.endpoint_state import EndpointState
from mesh.outlier import Cause, Tally
from mesh.plan import BackendPlan


class Judgement:
    __slots__ = ("_admitted", "_clock", "_judged_at", "endpoints", "plan")

    def __init__(self, plan: BackendPlan, clock: Callable[[], float]) -> None:
        self.plan = plan
        self._clock = clock
        self.endpoints: dict[tuple[str, int], EndpointState] = {}
        self._admitted: list[EndpointState] = []
        """Those that discovery lets us use; one that is no longer among them is withdrawn."""
        self._judged_at = 0.0
        """When success rates were last judged."""

    # -- the other half

    def refresh(self) -> None:
        """Compute eligibility again."""
        raise AssertionError

    def _look_at(self, moment: float) -> None:
        """Have the coarse timer look at this Backend at `moment`."""
        raise AssertionError

    # -- what is seen in traffic

    def connect_failed(self, state: EndpointState) -> None:
        """A connect was refused or timed out."""
        now = self._clock()
        if state.set_aside_until <= now and outlier.connect_failed(state, self.plan.ejection):
            self._eject(state, "connects", now)

    def connect_succeeded(self, state: EndpointState) -> None:
        """A connect went through: the endpoint's streak of failed ones is over."""
        if state.connect_failures:
            state.connect_failures = 0
            if state.failures and state.cause == "connects":
                outlier.readmit(state)
                self.refresh()

    def _judges_answers(self) -> bool:
        return bool(self.plan.ejection.server_errors or self.plan.ejection.success_rate)

    def _answered_well(self, state: EndpointState) -> bool:
        """A good answer of one that has something to make good; whether nothing of that is left."""
        return outlier.answered_well(state, self._clock())

    def _answered_badly(self, state: EndpointState) -> None:
        state.bad_answers += 1
        if outlier.answered_badly(state, self.plan.ejection):
            self._eject(state, "answers", self._clock())

    def _begin_to_judge(self, policy: SuccessRatePolicy) -> None:
        """Judge success rates from now on, and by nothing that was before."""
        for state in self.endpoints.values():
            state.good_answers = state.bad_answers = 0
        self._judged_at = self._clock()
        self._look_at(self._judged_at + policy.interval)

    def _judge_rates(self, now: float, policy: SuccessRatePolicy) -> None:
        """Eject those whose share of good answers is an outlier, and begin to count anew."""
        tallies = [(s, Tally(s.good_answers + s.bad_answers, s.good_answers)) for s in self._admitted]
        worst = outlier.outliers(tallies, policy)
        for state in self.endpoints.values():
            if state.cause == "rate" and state not in worst and state.good_answers and state.set_aside_until <= now:
                state.failures = 0
            state.good_answers = state.bad_answers = 0
        self._judged_at = now
        for state in worst:
            self._eject(state, "rate", now)

    def _eject(self, state: EndpointState, cause: Cause, now: float) -> None:
        """Leave an endpoint out for a while, unless too many are out, or it is not used anyway."""
        policy, ready = self.plan.ejection, self._admitted
        out = sum(other.set_aside_until > now for other in ready)
        if not state.eligible or state.set_aside_until > now or out >= outlier.most(len(ready), policy.most_percent):
            return
        outlier.set_aside(state, cause, now, policy)
        self.refresh()
        self._look_at(state.set_aside_until)

    # -- what checks find

    def checked(self, where: tuple[str, int], healthy: bool) -> None:
        """An active check has come to another conclusion about the endpoint at this address and port."""
        state = self.endpoints.get(where)
        if state is None or self.plan.health_check is None or state.unhealthy is not healthy:
            return
        state.unhealthy = not healthy
        if healthy:
            outlier.forgive(state)
        self.refresh()

    # -- who is new

    def _grow(self, admitted: list[EndpointState], now: float, policy: SlowStartPolicy) -> None:
        """Give endpoints the weight that they have after so much time in use."""
        used = {state for state in admitted if not state.unhealthy}
        growing = False
        for state in self.endpoints.values():
            if state not in used:
                state.used_since = None
            elif state.used_since is None:
                state.used_since = now
            age = 0.0 if state.used_since is None else now - state.used_since
            growing |= state in used and age < policy.window
            state.weight = slow_start.weight(state.endpoint.weight, age, policy)
        if growing:
            self._look_at(now + slow_start.step(policy))
