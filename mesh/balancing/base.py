"""What a balancer is: two methods, one called when the eligible set changes, the other per request.

A balancer sees only candidates that may be picked; who they are is decided beside it (mesh.eligibility), so
that no balancer knows of readiness, set-aside endpoints or fallbacks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar


class Candidate(Protocol):
    """What balancers ask of an endpoint."""

    weight: int
    """Its share in proportion to the others'; 0 and more."""


CandidateT = TypeVar("CandidateT", bound=Candidate)


class Balancer(Protocol[CandidateT]):
    def use(self, candidates: Sequence[CandidateT]) -> None:
        """Pick among `candidates` from now on; those that stay keep their turn."""

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        """The next one, none of `tried` if there is another; None: there are no candidates."""
