"""Limits: how much may be in flight at an endpoint and at a Backend, and who waits for room, in order.

Counts are those that the data plane keeps anyway (`EndpointState.in_flight`, `BackendStats`); here is only which
endpoints are known to be full, and the queue.  An exchange that is given no endpoint may `wait`; it is told by
`room_now` when to pick again, which it then must do at once.  The one that waits watches its own deadline.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Generic, Protocol, TypeVar

from config.balancing import LimitPolicy
from mesh.reasons import NO_ROOM, NO_ROOM_IN_TIME, Reason
from mesh.stats import BackendStats

_TRIES = 4
"""Turns that full endpoints may waste before they are left out, which is dearer."""


class Loaded(Protocol):
    in_flight: int


LoadedT = TypeVar("LoadedT", bound=Loaded)


class Waiter(Protocol):
    """An exchange or a connection that waits for an endpoint."""

    def room_now(self) -> None:
        """Pick again; who is given no endpoint may wait again, and is the first in the queue again."""

    def turn_away(self, reason: Reason) -> None:
        """There is nothing to wait for any more: leave, for this reason."""

    def cost(self) -> tuple[str, int]:
        """The address of the client that it is of, and the bytes that are kept of it."""


class Limits(Generic[LoadedT]):
    """Of one Backend."""

    __slots__ = ("_all", "_each", "_length", "_places", "_stats", "_told", "_watch", "full", "patience", "waiters")

    lasting = False
    """It may take long; who ends its side meanwhile is taken to be gone."""

    def __init__(
        self,
        policy: LimitPolicy,
        stats: BackendStats,
        before: Limits[LoadedT] | None = None,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        """`before`: other limits, within which those waited who wait here from now on; `watch`: called when `left`
        has to be called from now on."""
        self._stats = stats
        self._watch = watch
        self.full: dict[LoadedT, None] = {}
        """Endpoints that had no room when last seen; for others to look at."""
        self._places: float = float("inf")
        """Endpoints that may be picked."""
        self._told: Waiter | None = None
        """Who is picking again just now."""
        self.waiters: OrderedDict[Waiter, None] = before.waiters if before is not None else OrderedDict()
        """In the order in which they came; for others to look at."""
        self.put(policy)

    def put(self, policy: LimitPolicy) -> None:
        """This is the policy from now on; whom it gives room is told by the next `room_made`."""
        # A request of HTTP/1.1 holds a connection of its own, so the lesser of both is what counts.
        self._each = _lesser(policy.endpoint.connections, policy.endpoint.requests)
        self._all = _lesser(policy.backend.connections, policy.backend.requests)
        self._length = policy.queue.length
        self.patience = policy.queue.deadline
        """Seconds that anyone waits at most."""
        self.full.clear()

    def __len__(self) -> int:
        """How many wait."""
        return len(self.waiters)

    def admit(
        self, pick: Callable[[Collection[LoadedT]], LoadedT | None], tried: Collection[LoadedT] = ()
    ) -> LoadedT | None:
        """What `pick` gives, if it has room, else another that has; None: nobody has, or there is nobody.

        Who asks is already counted in the Backend's own counts, and not yet in the endpoint's.
        """
        stats = self._stats
        under_way = stats.in_flight + stats.tcp_open
        if under_way > self._all and under_way - len(self.waiters) > self._all:
            return None
        if self.full and len(self.full) >= self._places:
            return None
        state = pick(tried)
        if state is None or state.in_flight < self._each:
            return state
        return self._pick_on(pick, tried, state)

    def _pick_on(
        self, pick: Callable[[Collection[LoadedT]], LoadedT | None], tried: Collection[LoadedT], full: LoadedT
    ) -> LoadedT | None:
        """Pick again, because one is `full`."""
        self._watch()
        for _ in range(_TRIES - 1):
            self.full[full] = None
            state = pick(tried)
            if state is None or state.in_flight < self._each:
                return state
            if state is full:  # it would go on like this: picked by a key
                break
            full = state
        self.full[full] = None
        return self._search(pick, tried)

    def _search(
        self, pick: Callable[[Collection[LoadedT]], LoadedT | None], tried: Collection[LoadedT]
    ) -> LoadedT | None:
        """Look for one that has room among all, which takes time in proportion to their number."""
        state = pick({*tried, *self.full})
        while state is not None and state not in self.full:
            if state.in_flight < self._each:
                return state
            self.full[state] = None
            state = pick({*tried, *self.full})
        # All that were not tried are full; one that was tried may still have room.
        state = pick(self.full) if tried else None
        return state if state is not None and state.in_flight < self._each else None

    def wait(self, waiter: Waiter) -> bool:
        """Let `waiter` wait; False: the queue is full, or there is no endpoint to wait for."""
        if len(self.waiters) >= self._length or self._places == 0:
            return False
        self._watch()
        self.waiters[waiter] = None
        if waiter is self._told:
            self.waiters.move_to_end(waiter, last=False)
        return True

    @property
    def refusal(self) -> Reason:
        """Why the last one that wanted to wait was not let."""
        return NO_ROOM

    @property
    def overdue(self) -> Reason:
        """Why one that has waited for long enough is not served."""
        return NO_ROOM_IN_TIME

    def keep(self, waiter: Waiter, size: int) -> Reason | None:
        """So many bytes more are kept of one that waits; otherwise why it cannot wait any longer."""
        return None

    def leave(self, waiter: Waiter) -> None:
        """It waits no longer."""
        self.waiters.pop(waiter, None)

    def left(self, state: LoadedT, status: int = 0) -> None:
        """One that `state` was serving is no longer in flight, in the counts too; `status` is that of the answer.

        Need not be called while nobody waits, nobody is known to be full, and this is not `lasting`.
        """
        if self.full and state.in_flight < self._each and state in self.full:
            del self.full[state]
        if self.waiters:
            self.room_made()

    def room_made(self) -> None:
        """There may be room, at some endpoint or in all: let who waited longest try, until one is to wait again."""
        if self._told is not None:  # whoever is telling goes on
            return
        while self.waiters and self._in_flight() < self._all:
            waiter, _ = self.waiters.popitem(last=False)
            if self._tell(waiter):
                return

    def _tell(self, waiter: Waiter) -> bool:
        """Have it pick again; whether that is enough for now, as when it waits again."""
        self._told = waiter
        try:
            waiter.room_now()
        finally:
            self._told = None
        return waiter in self.waiters

    def open(self) -> None:
        """There are no limits any more: let all who wait go on."""
        self.put(LimitPolicy())
        self.room_made()

    def use(self, eligible: Collection[LoadedT]) -> None:
        """These endpoints may be picked from now on."""
        self._places = len(eligible)
        if self.full:
            staying = set(eligible)
            self.full = {state: None for state in self.full if state in staying}

    def _in_flight(self) -> int:
        return self._stats.in_flight + self._stats.tcp_open - len(self.waiters)


def _lesser(*limits: int) -> float:
    return min((limit for limit in limits if limit), default=float("inf"))
