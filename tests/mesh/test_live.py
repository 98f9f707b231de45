"""The registry: one Backend a key for as long as the Service port exists, and a little longer."""

from __future__ import annotations

from weakref import ref

from config.filters import RateLimitPolicy, TokenBucketPolicy
from mesh.live import Live
from mesh.plan import BackendKey
from mesh.roster import REMEMBERED
from tests.mesh.making import KEY, Clock, endpoint, plan

OTHER = BackendKey("default", "other", "http")


def test_a_registered_backend_is_found_again() -> None:
    live = Live(Clock())
    made = live.backend(KEY)
    assert live.backend(KEY) is not made, "not registered yet"
    assert live.replace({KEY: made}) == []
    assert live.backend(KEY) is made


def test_what_is_no_longer_registered_is_handed_back_once() -> None:
    live = Live(Clock())
    first, second = live.backend(KEY), live.backend(OTHER)
    live.replace({KEY: first, OTHER: second})
    assert live.replace({OTHER: second}) == [first]
    assert live.replace({OTHER: second}) == []


def test_in_flight_counts_departed_endpoints_and_retired_backends_too() -> None:
    clock = Clock()
    live = Live(clock)
    first, second = live.backend(KEY), live.backend(OTHER)
    there = endpoint(1, replica_id="r1")
    for backend, busy in ((first, 2), (second, 3)):
        backend.apply(plan(there, endpoint(2, replica_id="r2"), key=backend.key))
        backend.endpoints[there.where].in_flight = busy
    live.replace({KEY: first, OTHER: second})
    assert (live.in_flight("r1"), live.in_flight("r2"), live.in_flight("r3")) == (5, 0, 0)
    first.apply(plan(endpoint(2, replica_id="r2")))
    for gone in live.replace({KEY: first}):
        gone.retire()
    assert live.in_flight("r1") == 5
    clock.advance(REMEMBERED + 1)
    live.replace(dict(live.backends))
    assert live.in_flight("r1") == 2


def test_a_rate_limit_lives_as_long_as_somebody_has_it() -> None:
    live, policy = Live(Clock()), RateLimitPolicy(TokenBucketPolicy(1))
    limit = live.rate_limit("shop", policy)
    assert live.rate_limit("shop", RateLimitPolicy(TokenBucketPolicy(1))) is limit
    assert live.rate_limit("other", policy) is not limit
    assert live.rate_limit("shop", RateLimitPolicy(TokenBucketPolicy(2))) is not limit
    there = ref(limit)
    del limit
    assert there() is None
