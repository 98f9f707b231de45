"""Backend and EndpointState: the live side of a Service port (written, existing, compiled, *live*).

They survive tables.  A table's routes point to Backends; `Backend.apply` puts a new plan in force.
Eligibility is computed when one of its inputs changes, never per pick.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

from config.balancing import LimitPolicy
from mesh import eligibility
from mesh.balancing.base import Balancer, Keyed, Observing, Surroundings, foreseeable, keyed, observing
from mesh.balancing.key import KeyOf, key_of
from mesh.balancing.registry import new_balancer
from mesh.deadlines import Deadlines
from mesh.endpoint_state import NO_ANSWER_DUE, NOT_ANSWERED, Answered, EndpointState
from mesh.limits import Limits, Waiter
from mesh.plan import BackendKey, BackendPlan
from mesh.reasons import NO_ENDPOINTS, NO_SERVICE, SCALED_TO_ZERO, UNRESOLVED, Reason
from mesh.retry import RetryBudget
from mesh.roster import Roster
from mesh.waiting import LOOK, Line, WaitingRoom

__all__ = ["NOT_ANSWERED", "NO_ANSWER_DUE", "Backend", "EndpointState"]

NEVER = float("inf")
QUIET = 60.0
"""Seconds between two lines in the log about the same kind of failure of one Backend."""

_UNLIMITED = LimitPolicy()

log = logging.getLogger(__name__)


class Pick(Protocol):
    def __call__(self, tried: Collection[EndpointState] = ()) -> EndpointState | None: ...


class Backend(Roster):
    """The endpoints of one Service port, who of them may be picked, and whose turn it is."""

    __slots__ = (
        "_asleep", "_balancer", "_called", "_chance", "_deadlines", "_judging", "_keyed", "_logged", "_observing",
        "_room", "_suspects", "answered", "deadline", "eligible", "key", "key_of", "limits", "pick", "retry_budget",
    )  # fmt: skip

    pick: Pick
    """``pick(tried=())``: the endpoint whose turn it is, none of `tried` if there is another; None: none may be
    picked, or there is no room and who asks may wait (`limits`).  It is the balancer's own method wherever that
    can be, for a call less per request."""

    answered: Answered | None
    """What to call in place of `left` for a good answer; None: nobody waits, is full or suspect, or observes, so it
    need only be counted in `EndpointState.good_answers`."""

    key_of: KeyOf | None
    """What finds the key for `pick_for`; None: `pick` is enough."""

    def __init__(
        self,
        key: BackendKey,
        clock: Callable[[], float],
        deadlines: Deadlines | None = None,
        chance: Callable[[], float] = random.random,
        asleep: Callable[[BackendKey], bool] = lambda _: False,
        *,
        room: WaitingRoom | None = None,
    ) -> None:
        """`room`: where requests wait while there is no endpoint and one can be had."""
        super().__init__(BackendPlan(key, ()), clock)
        self.key = key
        self._asleep = asleep
        self._room = room
        self._called = -LOOK
        """When a replica was last called for."""
        self._deadlines = deadlines
        self.deadline = 0.0
        """When the first endpoint that was set aside comes back; 0: none is, as far as the wheel knows."""
        self.eligible: tuple[EndpointState, ...] = ()
        """Those that may be picked."""
        self._logged: dict[str, tuple[float, int]] = {}
        """Error type to when it was last logged, and how often it had been counted by then."""
        self.retry_budget = RetryBudget()
        self.limits: Limits[EndpointState] | None = None
        """Who waits for room; None: there is no limit."""
        self._judging = False
        self._suspects: set[EndpointState] = set()
        """Those whose streak of bad answers a good one would end."""
        self._chance = chance
        self._balance(self.plan)
        self._settle(self.plan)

    def apply(self, plan: BackendPlan) -> None:
        """Put `plan` in force; endpoints that stay keep their state and order, those that go are withdrawn."""
        before, self.plan = self.plan, plan
        if plan.balancer != before.balancer:
            self._balance(plan)
        self._settle(before)
        if plan.tls is not before.tls:
            for state in tuple(self.endpoints.values()):
                state.withdraw()  # its connections are not what they should be any more
        if plan.endpoints is not before.endpoints:
            self._arrange(before.endpoints, plan.endpoints)
            self.forget_departed()
            if self._suspects:
                self._suspects.intersection_update(self.endpoints.values())
        self.refresh()

    def pick_for(self, key: bytes, tried: Collection[EndpointState] = ()) -> EndpointState | None:
        """As `pick`, for a request with this `key`."""
        if self._keyed is None:
            return self.pick(tried)
        if self.limits is None:
            return self._keyed.pick_for(key, tried)
        return self.limits.admit(partial(self._keyed.pick_for, key), tried)

    def wait(self, waiter: Waiter) -> Reason | None:
        """Let `waiter`, which was given no endpoint, wait for one; otherwise why it cannot."""
        if not self.eligible and not isinstance(self.limits, Line):
            self._line_up()
        limits = self.limits
        if limits is None or not (self.eligible or isinstance(limits, Line)):
            return self.vacancy
        return None if limits.wait(waiter) else limits.refusal

    def call(self) -> None:
        """Have a replica started for who cannot wait for it, as one who sends a datagram."""
        now = self._clock()
        if self._room is not None and now - self._called >= LOOK:
            self._called = now
            self._room.call(self.key)

    @property
    def wakeable(self) -> bool:
        """While there is no endpoint: whether one can be had, so that requests wait."""
        return self._room is not None and self._room.wakeable(self.key) is not None

    @property
    def asleep(self) -> bool:
        """Whether it has no endpoint, and is not to have one before somebody asks for it."""
        return not self.plan.endpoints and (self._asleep(self.key) or self.wakeable)

    @property
    def held(self) -> str:
        """While it is `wakeable`: why nobody would start what is behind it now; empty: somebody would."""
        return "" if self._room is None else self._room.held(self.key)

    @property
    def vacancy(self) -> Reason:
        """Why nobody can be picked."""
        if self.plan.nowhere:
            return NO_SERVICE
        if not self.plan.endpoints and self._asleep(self.key):
            return SCALED_TO_ZERO
        return UNRESOLVED if self.plan.external and not self.plan.endpoints else NO_ENDPOINTS

    def foresee(self, key: bytes = b"") -> EndpointState | None:
        """Whom `pick_for` would give now, limits aside, without taking a turn; None: nobody, or lots would be drawn."""
        balancer = foreseeable(self._balancer)
        return balancer.peek(key if self._keyed is not None else b"") if balancer is not None else None

    def _balance(self, plan: BackendPlan) -> None:
        """Make the balancer that `plan` asks for; looking at what it can do is too slow for every pick."""
        balancer = new_balancer(plan.balancer, Surroundings(self._chance, self._clock, self._in_flight))
        self._balancer: Balancer[EndpointState] = balancer
        self._keyed: Keyed[EndpointState] | None = keyed(balancer)
        self._observing: Observing[EndpointState] | None = observing(balancer)

    def _settle(self, before: BackendPlan) -> None:
        """Bind what the plan asks for, so that what it does not ask for costs nothing."""
        plan, limits = self.plan, self.limits
        if isinstance(limits, Line) and not limits.over:
            limits.put(plan.limits or _UNLIMITED)
        elif plan.limits is None:
            self.limits = None
        elif limits is None or isinstance(limits, Line):
            self.limits = Limits(plan.limits, self.stats, limits, self._watch_answers)
        elif plan.limits != before.limits:
            limits.put(plan.limits)
        pick = self._balancer.pick
        self.pick = pick if self.limits is None else partial(self.limits.admit, pick)
        self.key_of = None if self._keyed is None else key_of(plan.balancer.hash)
        if self._judging is not self._judges_answers():
            self._judging = not self._judging
            states = self.endpoints.values() if self._judging else ()
            self._suspects = {state for state in states if state.server_errors or state.failures}
        self.answered = self._answered if self._watchful else None
        if plan.ejection.success_rate is not None and before.ejection.success_rate is None:
            self._begin_to_judge(plan.ejection.success_rate)
        if plan.health_check is None and before.health_check is not None:
            for state in self.endpoints.values():
                state.unhealthy = False
        if plan.slow_start is None and before.slow_start is not None:
            for state in self.endpoints.values():
                state.weight, state.used_since = state.endpoint.weight, None
        if limits is not None and self.limits is None:
            limits.open()

    def _line_up(self) -> None:
        """Begin a line, if there is something to wait for."""
        room, before = self._room, self.limits
        if room is None or self._deadlines is None or not self.wakeable:
            return
        policy = self.plan.limits or _UNLIMITED
        line: Line[EndpointState] = Line(
            policy, self.stats, before, room=room, key=self.key, clock=self._clock, ended=self._disperse
        )
        self.limits = line
        self._deadlines.watch(line)
        self._settle(self.plan)

    def _disperse(self) -> None:
        """The line is over; who still waits in it waits for room within the policy's limits."""
        self._settle(self.plan)
        self.refresh()

    def _in_flight(self) -> int:
        return self.stats.in_flight + self.stats.tcp_open + self.stats.udp_open

    def refresh(self) -> None:
        """Compute eligibility again: after a new plan, an ejection, a check, or the end of one."""
        now, rules = self._clock(), self.plan.rules
        admitted = eligibility.admitted(self.endpoints.values(), self.plan.publish_not_ready, rules)
        if self.plan.slow_start is not None:
            self._grow(admitted, now, self.plan.slow_start)
        eligible = tuple(eligibility.eligible(admitted, now, rules))
        withdrawn = set(self._admitted).difference(admitted) if admitted != self._admitted else ()
        for state in self.eligible:
            state.eligible = False
        for state in eligible:
            state.eligible = True
        self._admitted, self.eligible = admitted, eligible
        self._balancer.use(eligible)
        for state in withdrawn:
            state.withdraw()
        if self.limits is not None:
            self.limits.use(eligible)
            self.limits.room_made()

    def left(self, state: EndpointState, seconds: float, status: int) -> None:
        """A try or a connection is over, and no longer counted in `in_flight`, here and at its endpoint.

        `seconds` is how long the answer took, `status` the answer's, or `NOT_ANSWERED` or `NO_ANSWER_DUE`.
        """
        if 0 < status < 500:
            self._answered(state, seconds, status)
            return
        if status >= 0 and self._judging:
            self._answered_badly(state)
            if not state.departed_at:  # one that comes back is as good as new
                self._suspects.add(state)
                self._watch_answers()
        if self.limits is not None:
            self.limits.left(state, status)

    def _answered(self, state: EndpointState, seconds: float, status: int) -> None:
        """It was a good one.  Written flat: while somebody watches, it is called for each request."""
        state.good_answers += 1
        if self._observing is not None:
            self._observing.observe(state, seconds)
        if state in self._suspects and self._answered_well(state):
            self._suspects.discard(state)
        if self.limits is not None:
            self.limits.left(state, status)
        if self._observing is None and not self._watchful:
            self.answered = None

    @property
    def _watchful(self) -> bool:
        """Whether a good answer has anything to say to anybody."""
        if self._observing is not None or self._suspects:
            return True
        limits = self.limits
        return limits is not None and bool(limits.full or limits.waiters or limits.lasting)

    def _watch_answers(self) -> None:
        self.answered = self._answered

    def failed(self, reason: Reason, details: str = "") -> None:
        """Count what the proxy itself ended, and log it, at most once in `QUIET` seconds for each error type."""
        counts = self.stats.reasons
        counts[reason.error] = count = counts.get(reason.error, 0) + 1
        if not reason.log:
            return
        now = self._clock()
        logged_at, counted = self._logged.get(reason.error, (-QUIET, 0))
        if now - logged_at >= QUIET:
            self._logged[reason.error] = (now, count)
            more = f", {count - counted} times since this was last said" if counted else ""
            log.warning("%s: %s (%s)%s", self.key, details or reason.details, reason.error, more)

    def on_deadline(self, now: float) -> None:
        """Take back the endpoints whose time aside is over, and do what else is due."""
        policy = self.plan.ejection.success_rate
        if policy is not None and now >= self._judged_at + policy.interval:
            self._judge_rates(now, policy)
        self.deadline = NEVER
        self.refresh()
        aside = [s.set_aside_until for s in self.endpoints.values() if s.set_aside_until > now]
        due = [self.deadline, *aside, *([self._judged_at + policy.interval] if policy is not None else [])]
        self.deadline = 0.0 if min(due) == NEVER else min(due)

    def retire(self) -> None:
        """The Service port is no more: withdraw all endpoints; who still holds this Backend can pick none."""
        self.apply(BackendPlan(self.key, ()))
        if isinstance(self.limits, Line):
            self.limits.turn_away(NO_SERVICE)

    def _look_at(self, moment: float) -> None:
        """Have the coarse timer look at this Backend at `moment`, or earlier if it already is to."""
        if self._deadlines is None:
            return
        watched, self.deadline = self.deadline, min(self.deadline or moment, moment)
        if not watched:
            self._deadlines.watch(self)
