"""Who gets which number of a pool."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from config.meta import Named
from discovery.number_pool import NumberPool
from tests.texts import texts

A, B = Named("default", "a"), Named("default", "b")


def test_a_number_has_one_holder() -> None:
    pool = NumberPool(range(10))
    assert pool.hold(3, A) is None
    assert pool.hold(3, A) is None, "its own"
    assert pool.hold(3, B) == A
    assert not pool.hold_free(3, B)
    assert pool.hold_free(4, B)
    assert pool.hold(99, A) is None, "explicit numbers may lie outside"


def test_the_lower_band_is_given_out_last() -> None:
    pool = NumberPool(range(100, 110), band=4)
    given_out = [pool.pick(f"seed {number}", A) for number in range(11)]
    assert set(given_out[:6]) == set(range(104, 110))
    assert set(given_out[6:10]) == set(range(100, 104))
    assert given_out[10] is None


@given(texts(10), st.sets(st.integers(0, 19)))
def test_the_first_free_one_from_the_hash_on(seed: str, taken: set[int]) -> None:
    pool = NumberPool(range(20))
    for number in taken:
        pool.hold(number, B)
    start = zlib.crc32(seed.encode())
    wanted = [(start + step) % 20 for step in range(20) if (start + step) % 20 not in taken]
    assert pool.pick(seed, A) == (wanted[0] if wanted else None)
