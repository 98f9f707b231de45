"""Who is told to be next is who comes next; chance is called chance."""

from __future__ import annotations

import pytest

from config.balancing import BalancerPolicy, BalancerType, HashKey
from mesh.backend import Backend
from mesh.balancing.affinity import AffinityPolicy
from sidecar.explain.pick import explain_pick
from sidecar.explain.question import parse_question
from tests.mesh.making import KEY, Clock, endpoint, endpoints, plan

ASKED = parse_question("http://shop/cart?user=7", headers=("X-User: ann", "Cookie: a=b; id=42"), client="192.0.2.9")


def made(policy: BalancerPolicy, count: int = 3) -> Backend:
    backend = Backend(KEY, Clock())
    backend.apply(plan(*endpoints(count), balancer=policy))
    return backend


def test_turns_are_told_and_not_taken() -> None:
    backend = made(BalancerPolicy())
    for _ in range(7):
        told = explain_pick(backend, ASKED)
        assert told == explain_pick(backend, ASKED)
        state = backend.pick()
        assert state is not None
        assert told == {"address": f"{state.host}:{state.port}", "how": "RoundRobin: its turn is next"}


KEYS = {
    "header": (HashKey(header="x-user"), b"ann", "its place for header x-user 'ann'"),
    "cookie": (HashKey(cookie="id"), b"42", "its place for cookie id '42'"),
    "query": (HashKey(query="user"), b"7", "its place for parameter user '7'"),
    "address": (HashKey(source_address=True), b"192.0.2.9", "its place for the client's address '192.0.2.9'"),
    "absent": (HashKey(header="X-None"), b"", "without header X-None, its turn is next"),
}


@pytest.mark.parametrize("kind", ["RingHash", "Maglev"])
@pytest.mark.parametrize("name", KEYS)
def test_keys(name: str, kind: BalancerType) -> None:
    policy, key, how = KEYS[name]
    backend = made(BalancerPolicy(type=kind, hash=policy))
    told = explain_pick(backend, ASKED)
    assert told["how"] == f"{kind}: {how}"
    state = backend.pick_for(key)
    assert state is not None
    assert told["address"] == f"{state.host}:{state.port}"


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("Random", "Random: one of 3 is drawn by lot"),
        ("LeastRequest", "2 of 3 are drawn by lot, and the one is taken that has the least in flight"),
        ("PeakEWMA", "2 of 3 are drawn by lot, and the one is taken that is expected to answer first"),
    ],
)
def test_lots(kind: BalancerType, how: str) -> None:
    told = explain_pick(made(BalancerPolicy(type=kind)), ASKED)
    assert told["address"] == ""
    assert told["how"].endswith(how)


def test_the_only_one_and_none() -> None:
    one = explain_pick(made(BalancerPolicy(type="Random"), 1), ASKED)
    assert one == {"address": f"{endpoint(0).address}:8080", "how": "the only one that may be picked"}
    assert explain_pick(made(BalancerPolicy(), 0), ASKED) == {"address": "", "how": "no endpoint may be picked"}


def test_a_client_that_is_kept() -> None:
    backend = made(AffinityPolicy(hash=HashKey(source_address=True)))
    for client in ("192.0.2.1", "192.0.2.2"):
        backend.pick_for(client.encode())
    asked = parse_question("http://shop/", client="192.0.2.1")
    for _ in range(2):
        told = explain_pick(backend, asked)
        assert told == {
            "address": f"{endpoint(0).address}:8080",
            "how": "who this client has already, else RoundRobin: its turn is next",
        }
    assert explain_pick(backend, ASKED)["address"] == f"{endpoint(2).address}:8080"
