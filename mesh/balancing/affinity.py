"""Session affinity (a Service's ``sessionAffinity: ClientIP``): a client stays with the endpoint that it had before.

The first pick for an address is the balancer's own.  It is remembered until nothing has come from there for the
time-out that the Service states, which every pick begins anew, as in kube-proxy; an endpoint that may no longer be
picked, or that was just tried in vain, is forgotten at once.  The table is bounded: who was silent longest goes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Generic

from config.balancing import BalancerPolicy
from mesh.balancing.base import Balancer, CandidateT, Keyed, Observing, foreseeable

MOST_CLIENTS: Final = 16_384
"""Of one Backend."""


class AffinityPolicy(BalancerPolicy, frozen=True):
    """A balancer whose picks are kept; `hash` is the client's address."""

    seconds: int = 10_800


class Affinity(Generic[CandidateT]):
    """Keeps what `inner` picks, by key, for `seconds` by `clock`."""

    def __init__(
        self, inner: Balancer[CandidateT], seconds: float, clock: Callable[[], float], most: int = MOST_CLIENTS
    ) -> None:
        self._inner = inner
        self._seconds = seconds
        self._clock = clock
        self._most = most
        self._there: frozenset[CandidateT] = frozenset()
        self._kept: dict[bytes, tuple[CandidateT, float]] = {}
        """Whom a client has, and until when; who was silent longest comes first."""

    def use(self, candidates: Sequence[CandidateT]) -> None:
        self._there = frozenset(candidates)
        self._inner.use(candidates)

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        return self._inner.pick(tried)

    def pick_for(self, key: bytes, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        now = self._clock()
        candidate, until = self._kept.pop(key, (None, 0.0))
        if candidate is None or until <= now or candidate not in self._there or candidate in tried:
            candidate = self._inner.pick_for(key, tried) if isinstance(self._inner, Keyed) else self._inner.pick(tried)
        if candidate is not None:
            self._kept[key] = candidate, now + self._seconds
            self._forget(now)
        return candidate

    def peek(self, key: bytes = b"") -> CandidateT | None:
        candidate, until = self._kept.get(key, (None, 0.0))
        if candidate is not None and until > self._clock() and candidate in self._there:
            return candidate
        inner = foreseeable(self._inner)
        return inner.peek(key) if inner is not None else None

    def _forget(self, now: float) -> None:
        """Those whose time is over, and who is beyond the bound; all of them are in front."""
        while self._kept:
            first = next(iter(self._kept))
            if self._kept[first][1] > now and len(self._kept) <= self._most:
                return
            del self._kept[first]


class ObservingAffinity(Affinity[CandidateT]):
    """The same for a balancer that wants to know how long answers took."""

    def observe(self, candidate: CandidateT, seconds: float) -> None:
        assert isinstance(self._inner, Observing)
        self._inner.observe(candidate, seconds)


def keeping(inner: Balancer[CandidateT], policy: AffinityPolicy, clock: Callable[[], float]) -> Balancer[CandidateT]:
    """`inner` with affinity."""
    kind = ObservingAffinity if isinstance(inner, Observing) else Affinity
    return kind(inner, policy.seconds, clock)
