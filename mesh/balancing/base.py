"""What a balancer is: two methods, one called when the eligible set changes, the other per request.

A balancer sees only candidates that may be picked; who they are is decided beside it (mesh.eligibility), so
that no balancer knows of readiness, set-aside endpoints or fallbacks.  Some have a third method: those that
pick by a key, and those that want to know how long an answer took.  Who explains what would happen
asks those that leave nothing to chance whom they would pick.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import NamedTuple, Protocol, TypeVar, cast, runtime_checkable


class Candidate(Protocol):
    """What balancers ask of an endpoint."""

    host: str
    port: int
    """Host and port are what it is called, on every node and after every restart."""
    weight: int
    """Its share in proportion to the others'; 0 and more."""
    in_flight: int
    """Requests and connections that it is serving for this proxy."""


CandidateT = TypeVar("CandidateT", bound=Candidate)


class Balancer(Protocol[CandidateT]):
    def use(self, candidates: Sequence[CandidateT]) -> None:
        """Pick among `candidates` from now on; those that stay keep their turn."""

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        """The next one, none of `tried` if there is another; None: there are no candidates."""


@runtime_checkable
class Keyed(Balancer[CandidateT], Protocol[CandidateT]):
    """Picks the same candidate for the same key; `pick` is for requests without one."""

    def pick_for(self, key: bytes, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        """The candidate of `key`, or who comes next for it if that one was `tried` or has more than its share."""


@runtime_checkable
class Observing(Balancer[CandidateT], Protocol[CandidateT]):
    """Picks by what it was told of earlier answers."""

    def observe(self, candidate: CandidateT, seconds: float) -> None:
        """`candidate` has answered after `seconds`."""


@runtime_checkable
class Foreseeable(Balancer[CandidateT], Protocol[CandidateT]):
    """It is known whom it picks next; those that draw lots do not know it themselves."""

    def peek(self, key: bytes = b"") -> CandidateT | None:
        """Whom `pick_for`, or without a key `pick`, would give now; nothing changes.  None: nobody, or lots decide."""


class Surroundings(NamedTuple):
    """What balancers may ask for beside their candidates."""

    random: Callable[[], float]
    """Evenly distributed from 0 to below 1."""
    clock: Callable[[], float]
    """Seconds, never going back."""
    in_flight: Callable[[], int]
    """Of all candidates together."""


def keyed(balancer: Balancer[CandidateT]) -> Keyed[CandidateT] | None:
    """`balancer` if it picks by a key."""
    return cast("Keyed[CandidateT]", balancer) if _fits(type(balancer), Keyed) else None


def foreseeable(balancer: Balancer[CandidateT]) -> Foreseeable[CandidateT] | None:
    """`balancer` if it is known whom it picks next."""
    return cast("Foreseeable[CandidateT]", balancer) if _fits(type(balancer), Foreseeable) else None


def observing(balancer: Balancer[CandidateT]) -> Observing[CandidateT] | None:
    """`balancer` if it wants to know of answers."""
    return cast("Observing[CandidateT]", balancer) if _fits(type(balancer), Observing) else None


@cache
def _fits(kind: type, protocol: type) -> bool:
    """Asked for each of thousands of Backends, and a Protocol takes its time to answer."""
    return issubclass(kind, protocol)
