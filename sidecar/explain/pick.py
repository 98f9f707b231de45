"""Whom the balancer would give a request, found out without taking anybody's turn."""

from __future__ import annotations

from typing import Any

from config.balancing import BalancerPolicy, HashKey
from mesh.backend import Backend, EndpointState
from mesh.balancing.affinity import AffinityPolicy
from sidecar.explain.question import Question


def explain_pick(backend: Backend, question: Question) -> dict[str, Any]:
    """The endpoint, and how it is found; ``address`` is empty where there is none, or where it is left to chance."""
    if not backend.eligible:
        return _told(None, "no endpoint may be picked")
    policy = backend.plan.balancer
    if len(backend.eligible) == 1:
        return _told(backend.eligible[0], "the only one that may be picked")
    key = backend.key_of(question.head, question.client) if backend.key_of else b""
    kept = "who this client has already, else " if isinstance(policy, AffinityPolicy) else ""
    return _told(backend.foresee(key), kept + _how(policy, b"" if kept else key, len(backend.eligible)))


def _how(policy: BalancerPolicy, key: bytes, count: int) -> str:
    if policy.type in ("LeastRequest", "PeakEWMA"):
        drawn = f"{policy.choices} of {count} are drawn by lot"
        found = "has the least in flight" if policy.type == "LeastRequest" else "is expected to answer first"
        return f"{policy.type}: {drawn}, and the one is taken that {found}"
    if policy.type == "Random":
        return f"Random: one of {count} is drawn by lot"
    if policy.type == "RoundRobin":
        return "RoundRobin: its turn is next"
    if policy.hash is not None and key:
        return f"{policy.type}: its place for {_name(policy.hash)} {key.decode('latin-1')!r}"
    missing = f"without {_name(policy.hash)}, " if policy.hash is not None else ""
    return f"{policy.type}: {missing}its turn is next"


def _name(key: HashKey) -> str:
    if key.source_address:
        return "the client's address"
    named = {"header": key.header, "cookie": key.cookie, "parameter": key.query}
    return next((f"{what} {name}" for what, name in named.items() if name), "a key")


def _told(state: EndpointState | None, how: str) -> dict[str, Any]:
    return {"address": state.name if state else "", "how": how}
