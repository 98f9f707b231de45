"""Whom the balancer would give a request, found out without taking anybody's turn."""

from __future__ import annotations

from typing import Any

from mesh.backend import Backend, EndpointState
from mesh.balancing.round_robin import RoundRobin
from sidecar.explain_endpoints import address_of
from sidecar.explain_question import Question


def explain_pick(backend: Backend, question: Question) -> dict[str, Any]:
    """The endpoint, and how it is found; `address` is empty where there is none, or where it is left to chance."""
    kind = backend.plan.balancer.type
    eligible = backend.eligible
    if not eligible:
        return {"address": "", "how": "no endpoint may be picked"}
    if len(eligible) == 1:
        return _told(eligible[0], "the only one")
    balancer: Any = backend._balancer
    if isinstance(balancer, RoundRobin):
        return _told(balancer.peek(), f"{kind}: its turn is next")
    return _told(eligible[0], kind)


def _told(state: EndpointState | None, how: str) -> dict[str, Any]:
    return {"address": address_of(state) if state else "", "how": how}
