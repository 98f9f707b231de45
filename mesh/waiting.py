"""Waiting for a Service that is scaled to zero: its requests are held, its workload is woken, and then they flow.

The queue is that of `mesh.limits`.  A *line* is one for a Backend that has no endpoint now and is to get one: whoever
comes may wait for long, and when a replica is ready, all are let go by and by (`mesh.ramp`), in the order in which they
came.  It ends when nobody waits any more and replicas have shown what they can do.  The *waiting room* is what all
lines of a process share: how many may wait, how much of them is kept, and who can wake a workload.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from config.balancing import LimitPolicy
from discovery.endpoint import WorkloadRef
from mesh import ramp
from mesh.limits import Limits, LoadedT, Waiter
from mesh.plan import BackendKey
from mesh.reasons import (
    NO_ENDPOINTS,
    NO_ROOM,
    NO_ROOM_IN_TIME,
    NOBODY_WAKES,
    NOT_WOKEN,
    ROOM_FULL,
    SHARE_TAKEN,
    STOPPING,
    Reason,
)
from mesh.stats import BackendStats

MOST = 1000
"""Requests and connections that wait in one process."""
MOST_BYTES = 64 << 20
"""Of heads and bodies that are kept of them."""
SHARE = 5
"""One client may take one of so many parts of either."""
PATIENCE = 30.0
"""Seconds that anyone waits."""
BURST = 64
"""Of one line that are let go before the loop has its turn; more when an answer comes, or at the next look."""
LOOK = 0.5
"""Seconds between two looks at a line."""

Wakeable = Callable[[BackendKey], WorkloadRef | None]
"""The workload behind a Backend, if it is one that may be scaled to zero and back."""
Wake = Callable[[WorkloadRef], bool]
"""Have a workload started that somebody waits for, if it is not being started already; False: nobody can."""


Held = Callable[[BackendKey], str]
"""Why nobody would start what is behind a Backend now; empty: somebody would."""


class WaitingRoom:
    """Who waits, and of which client, in all lines of one process."""

    __slots__ = ("_clients", "_costs", "_open", "held", "kept", "wake", "wakeable")

    def __init__(self, wakeable: Wakeable = lambda _: None, wake: Wake = lambda _: False) -> None:
        self.wakeable = wakeable
        self.wake = wake
        self.held: Held = lambda _: ""
        self.kept = 0
        """Bytes of all that wait."""
        self._costs: dict[Waiter, tuple[str, int]] = {}
        """The client, and the bytes that are kept."""
        self._clients: dict[str, tuple[int, int]] = {}
        """How many of a client wait, and with how many bytes."""
        self._open = True

    def __len__(self) -> int:
        """How many wait."""
        return len(self._costs)

    def call(self, key: BackendKey) -> bool:
        """Have what is behind a Backend started; False: nobody can."""
        workload = self.wakeable(key)
        return workload is not None and self.wake(workload)

    def close(self) -> None:
        """The process ends: turn away all that wait, and all that come."""
        self._open = False
        for waiter in tuple(self._costs):
            waiter.turn_away(STOPPING)

    def enter(self, waiter: Waiter) -> Reason | None:
        """Let `waiter` in; otherwise why it cannot wait."""
        if not self._open:
            return STOPPING
        client, size = waiter.cost()
        refusal = self._refusal(client, 1, size)
        if refusal is None:
            self._costs[waiter] = client, 0
            self._count(waiter, 1, size)
        return refusal

    def grow(self, waiter: Waiter, size: int) -> Reason | None:
        """So many bytes more are kept of `waiter`; otherwise why it cannot wait any longer."""
        if waiter not in self._costs:  # it waited already when the line began, within the bounds of a policy's queue
            return None
        client, _ = self._costs[waiter]
        refusal = self._refusal(client, 0, size)
        if refusal is None:
            self._count(waiter, 0, size)
        return refusal

    def leave(self, waiter: Waiter) -> None:
        """It waits no longer, if it did."""
        if waiter in self._costs:
            _, size = self._costs[waiter]
            self._count(waiter, -1, -size)
            del self._costs[waiter]

    def _refusal(self, client: str, more: int, size: int) -> Reason | None:
        if len(self._costs) + more > MOST or self.kept + size > MOST_BYTES:
            return ROOM_FULL
        count, kept = self._clients.get(client, (0, 0))
        if (count + more) * SHARE > MOST or (kept + size) * SHARE > MOST_BYTES:
            return SHARE_TAKEN
        return None

    def _count(self, waiter: Waiter, more: int, size: int) -> None:
        client, own = self._costs[waiter]
        self._costs[waiter] = client, own + size
        self.kept += size
        count, kept = self._clients.get(client, (0, 0))
        self._clients[client] = count + more, kept + size
        if not count + more:
            del self._clients[client]


class Line(Limits[LoadedT]):
    """Who waits for one Backend; give it to the wheel (`mesh.deadlines`)."""

    __slots__ = (
        "_answers", "_began", "_burst", "_clock", "_ended", "_key", "_known", "_most", "_refusal", "_room",
        "_turned", "deadline", "over",
    )  # fmt: skip

    lasting = True

    def __init__(
        self,
        policy: LimitPolicy,
        stats: BackendStats,
        before: Limits[LoadedT] | None = None,
        *,
        room: WaitingRoom,
        key: BackendKey,
        clock: Callable[[], float],
        ended: Callable[[], None],
    ) -> None:
        """`ended` is called when nobody needs this line any more."""
        self._room = room
        self._key = key
        self._clock = clock
        self._ended = ended
        self.over = False
        """Nobody needs it any more."""
        self._began = self._answers = 0.0
        self._known = False
        """Replicas have shown what they can do."""
        self._burst = BURST
        self._refusal = NO_ROOM
        self._turned = before._told if before is not None else None
        """Whose turn it was when there was no endpoint any more, and which is the first here."""
        super().__init__(policy, stats, before)
        self._places = 0
        self.deadline = clock() + LOOK

    def put(self, policy: LimitPolicy) -> None:
        super().put(policy)
        self._most, self.patience = self._each, PATIENCE
        self._widen()

    # -- who waits

    def wait(self, waiter: Waiter) -> bool:
        again = waiter is self._told
        refusal = None if again else self._room.enter(waiter)
        if refusal is None and not self._places and not self.waiters and not self._wake():
            self._room.leave(waiter)
            refusal = self._unwoken
        if refusal is not None:
            self._refusal = refusal
            return False
        self.waiters[waiter] = None
        self.waiters.move_to_end(waiter, last=not (again or waiter is self._turned))
        self._turned = None
        return True

    @property
    def refusal(self) -> Reason:
        return self._refusal

    @property
    def overdue(self) -> Reason:
        return NO_ROOM_IN_TIME if self._places else NOT_WOKEN

    def keep(self, waiter: Waiter, size: int) -> Reason | None:
        return self._room.grow(waiter, size)

    def leave(self, waiter: Waiter) -> None:
        super().leave(waiter)
        self._room.leave(waiter)

    def turn_away(self, reason: Reason) -> None:
        """Nobody who waits will be served."""
        for waiter in tuple(self.waiters):
            waiter.turn_away(reason)

    # -- who is let go

    def use(self, eligible: Collection[LoadedT]) -> None:
        if eligible and not self._places:
            self._began, self._answers = self._clock(), 0.0
        super().use(eligible)
        self._widen()

    def left(self, state: LoadedT, status: int = 0) -> None:
        if 0 < status < 500:
            self._answers += 1
            self._widen()
        super().left(state, status)

    def admit(
        self, pick: Callable[[Collection[LoadedT]], LoadedT | None], tried: Collection[LoadedT] = ()
    ) -> LoadedT | None:
        if self.waiters and self._told is None:  # nobody overtakes those who wait
            return None
        return super().admit(pick, tried)

    def room_made(self) -> None:
        if self._places and self._told is None:
            self._burst = BURST
            super().room_made()

    def _tell(self, waiter: Waiter) -> bool:
        waits = super()._tell(waiter)
        if not waits:
            self._room.leave(waiter)
        self._burst -= 1
        return waits or not self._burst

    def _widen(self) -> None:
        """Let as many go as replicas of this age and with so many answers may have."""
        wider = ramp.window(self._clock() - self._began, self._answers / max(self._places, 1))
        self._known = wider == ramp.UNBOUNDED
        self._each = min(self._most, wider)
        self.full.clear()

    # -- time

    def on_deadline(self, now: float) -> None:
        self.deadline = now + LOOK
        if self.waiters and not self._places:
            if not self._wake():
                self.turn_away(self._unwoken)
            return
        self._widen()
        self.room_made()
        limited = min(self._most, self._all) < ramp.UNBOUNDED  # who still waits then, waits for these limits
        if (self._known and (limited or not self.waiters)) or not (self._places or self.waiters):
            self._end()

    def _end(self) -> None:
        self.deadline, self.over = 0.0, True
        for waiter in self.waiters:
            self._room.leave(waiter)
        self._ended()

    @property
    def _unwoken(self) -> Reason:
        """Why there is nothing to wait for."""
        return NO_ENDPOINTS if self._room.wakeable(self._key) is None else NOBODY_WAKES

    def _wake(self) -> bool:
        return self._room.call(self._key)
