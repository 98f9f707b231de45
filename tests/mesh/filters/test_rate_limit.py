"""Rate limits: how much passes in a time, what is told, and what is remembered of clients."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.filters import RateLimitPolicy, TokenBucketPolicy
from mesh.filters import rate_limit
from mesh.filters.rate_limit import RateLimit
from tests.mesh.filters.asking import query


def limit(route: tuple[int, float, int] | None = None, client: tuple[int, float, int] | None = None) -> RateLimit:
    return RateLimit(
        RateLimitPolicy(TokenBucketPolicy(*route) if route else None, TokenBucketPolicy(*client) if client else None)
    )


def passed(limits: RateLimit, now: float, client: str = "192.0.2.1") -> bool:
    return limits(query(now=now, client=client)) is None


def test_a_burst_passes_and_then_so_much_in_a_time() -> None:
    limits = limit(route=(2, 1.0, 3))
    assert [passed(limits, 10.0) for _ in range(5)] == [True, True, True, False, False]
    assert [passed(limits, 10.5) for _ in range(2)] == [True, False]
    assert [passed(limits, 60.0) for _ in range(5)] == [True, True, True, False, False]


@given(
    st.integers(1, 50),
    st.floats(0.1, 100),
    st.integers(0, 50),
    st.lists(st.floats(0, 5), min_size=1, max_size=150),
)
def test_never_more_than_the_burst_and_the_rate(requests: int, per: float, burst: int, pauses: list[float]) -> None:
    limits, now, let = limit(route=(requests, per, burst)), 1000.0, 0
    for pause in pauses:
        now += pause
        let += passed(limits, now)
    assert let <= (burst or requests) + (now - 1000.0) * requests / per + 1e-6
    assert let >= min(len(pauses), burst or requests)


def test_a_refusal_says_when_to_come_again() -> None:
    limits = limit(route=(1, 60.0, 0))
    assert passed(limits, 10.0)
    reply = limits(query(now=12.5))
    assert reply is not None
    assert reply.reason.status == 429
    assert reply.fields == b'Retry-After: 58\r\nRateLimit-Policy: "route";q=1;w=60\r\nRateLimit: "route";r=0;t=58\r\n'
    assert passed(limits, 70.0)


def test_a_window_that_is_no_whole_number_is_not_told() -> None:
    limits = limit(client=(1, 0.5, 0))
    assert passed(limits, 10.0)
    reply = limits(query(now=10.1))
    assert reply is not None
    assert reply.fields == b'Retry-After: 1\r\nRateLimit-Policy: "client";q=1\r\nRateLimit: "client";r=0;t=1\r\n'


def test_each_client_has_a_bucket() -> None:
    limits = limit(client=(1, 1.0, 0))
    assert passed(limits, 10.0, "192.0.2.1")
    assert passed(limits, 10.0, "192.0.2.2")
    assert not passed(limits, 10.0, "192.0.2.1")
    assert passed(limits, 11.0, "192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("odd:address", "odd:address", True),
    ],
)
def test_what_counts_as_one_client(one: str, other: str, same: bool) -> None:
    limits = limit(client=(1, 1.0, 0))
    assert passed(limits, 10.0, one)
    assert passed(limits, 10.0, other) != same


def test_who_is_refused_takes_nothing_from_others() -> None:
    limits = limit(route=(3, 1.0, 0), client=(1, 1.0, 0))
    assert [passed(limits, 10.0, "192.0.2.1") for _ in range(9)] == [True] + [False] * 8
    assert passed(limits, 10.0, "192.0.2.2")
    assert passed(limits, 10.0, "192.0.2.3")
    assert not passed(limits, 10.0, "192.0.2.4")
    assert passed(limits, 10.5, "192.0.2.4"), "what the route refused took nothing of the client's own"


def test_clients_are_forgotten_when_their_buckets_are_full() -> None:
    limits = limit(client=(1, 1.0, 0))
    for n in range(100):
        assert passed(limits, 10.0 + n * 10, f"192.0.2.{n}")
    assert len(limits) <= 2


def test_clients_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST_CLIENTS", 10)
    limits = limit(client=(1, 1000.0, 0))
    for n in range(100):
        assert passed(limits, 10.0, f"192.0.2.{n}")
        assert len(limits) <= 10
    assert not passed(limits, 10.0, "192.0.2.99")
    assert passed(limits, 10.0, "192.0.2.1"), "who came longest ago is forgotten first"


def test_every_answer_says_what_is_left_if_asked() -> None:
    policy = RateLimitPolicy(TokenBucketPolicy(10, 60.0, 3), TokenBucketPolicy(2, 1.0), fields=True)
    limits, head = RateLimit(policy), b"HTTP/1.1 200 OK\r\n"
    says = b'RateLimit-Policy: "route";q=10;w=60, "client";q=2;w=1\r\nRateLimit: '
    told = []
    for now in (10.0, 10.0, 10.0, 10.6, 60.0):
        reply = limits(query(now=now))
        assert reply is None or reply.fields == b"Retry-After: 1\r\n", "what is left is said once"
        lines = limits.response(query(now=now), head)
        assert lines.startswith(head + says)
        told.append((reply is None, lines.removeprefix(head + says)))
    assert told == [
        (True, b'"route";r=2;t=6, "client";r=1;t=1\r\n'),
        (True, b'"route";r=1;t=12, "client";r=0;t=1\r\n'),
        (False, b'"route";r=1;t=12, "client";r=0;t=1\r\n'),
        (True, b'"route";r=0;t=6, "client";r=0;t=1\r\n'),
        (True, b'"route";r=2;t=6, "client";r=1;t=1\r\n'),
    ]


def test_a_client_that_never_came_has_all_of_it() -> None:
    limits = RateLimit(RateLimitPolicy(client=TokenBucketPolicy(5, 1.0), fields=True))
    assert (
        limits.response(query(now=5.0), b"") == b'RateLimit-Policy: "client";q=5;w=1\r\nRateLimit: "client";r=5;t=0\r\n'
    )
