from __future__ import annotations

import pytest

from discovery.registry import wire
from discovery.registry.answer_cache import AnswerCache, lifetime
from discovery.registry.rdata import name, soa
from discovery.registry.render import Answer
from discovery.registry.wire import Record
from tests.discovery.registry.making import record


def address(ttl: int) -> Record:
    return record("www.example.com", wire.A, b"\n\0\0\1", ttl)


def authority(ttl: int, minimum: int) -> Record:
    return record("example.com", wire.SOA, soa(name("ns.example.com"), name("host.example.com"), 1, minimum), ttl)


TABLE = {
    "the shortest of its records": (Answer(records=(address(30), address(20))), 20),
    "not for ever": (Answer(records=(address(1 << 30),)), 3600),
    "not at all": (Answer(records=(address(0),)), 0),
    "a denial, as long as its authority says": (Answer(wire.NXDOMAIN, authority=(authority(50, 20),)), 20),
    "a denial, as long as its authority lives": (Answer(authority=(authority(10, 20),)), 10),
    "a denial, not for ever": (Answer(wire.NXDOMAIN, authority=(authority(9000, 9000),)), 60),
    "a denial that says nothing": (Answer(wire.NXDOMAIN), 0),
    "a chain that ends in a denial": (Answer(records=(address(5),), authority=(authority(50, 20),)), 5),
    "a failure": (Answer(wire.SERVFAIL), 1),
}


@pytest.mark.parametrize("case", TABLE)
def test_how_long_an_answer_may_be_kept(case: str) -> None:
    answer, seconds = TABLE[case]
    assert lifetime(answer) == seconds
    cache = AnswerCache()
    cache.put("www", answer, 100.0)
    assert (cache.get("www", 100.0 + seconds - 0.01) is not None) == (seconds > 0)
    assert cache.get("www", 100.0 + seconds) is None


def test_ttls_grow_shorter_with_age() -> None:
    cache = AnswerCache()
    cache.put("www", Answer(records=(address(30),), additional=(address(10),)), 100.0)
    aged = cache.get("www", 112.9)
    assert aged is not None
    assert (aged.records[0].ttl, aged.additional[0].ttl) == (18, 0)


def test_what_was_not_asked_for_longest_goes_first() -> None:
    cache = AnswerCache(room=2000)
    for number in range(4):
        cache.put(number, Answer(records=(address(60),)), 0.0)
        assert cache.get(0, 1.0) is not None
    for number in range(4, 30):
        cache.put(number, Answer(records=(address(60),)), 0.0)
        cache.get(0, 1.0)
    assert cache.get(0, 1.0) is not None
    assert cache.get(29, 1.0) is not None
    assert cache.get(1, 1.0) is None
    assert len(cache) <= 5


def test_what_is_too_large_is_not_kept() -> None:
    cache = AnswerCache(room=1000)
    cache.put("www", Answer(records=(address(60),) * 10), 0.0)
    assert len(cache) == 0


def test_a_newer_answer_takes_the_place_of_an_older() -> None:
    cache = AnswerCache()
    cache.put("www", Answer(records=(address(60),)), 0.0)
    cache.put("www", Answer(wire.NXDOMAIN), 0.0)
    assert cache.get("www", 0.0) is None
    assert len(cache) == 0
