"""Ring hash: a change moves the keys of what changed and no others; shares follow weights."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.balancing.ring_hash import MOST_POINTS, RingHash, points
from tests.mesh.balancing.candidates import One, World, ones

KEYS = [b"user-%d" % number for number in range(2000)]


def ring(candidates: list[One], count: int = 100, bound: int = 0) -> RingHash[One]:
    made: RingHash[One] = RingHash(count, bound, World(candidates).around)
    made.use(candidates)
    return made


def homes(made: RingHash[One], keys: list[bytes] = KEYS) -> list[One | None]:
    return [made.pick_for(key) for key in keys]


@given(st.sets(st.integers(0, 60), min_size=2, max_size=12), st.data())
def test_only_the_keys_of_who_leaves_move(numbers: set[int], data: st.DataObject) -> None:
    candidates = [One(number) for number in sorted(numbers)]
    made = ring(candidates, 32)
    keys = KEYS[:200]
    before = homes(made, keys)
    leaving = data.draw(st.sampled_from(candidates))
    made.use([candidate for candidate in candidates if candidate is not leaving])
    after = homes(made, keys)
    assert all(now is then for now, then in zip(after, before, strict=True) if then is not leaving)
    assert leaving not in after
    made.use(candidates)
    assert homes(made, keys) == before, "who comes back has the keys that it had"


def test_who_comes_takes_only_its_share() -> None:
    made = ring(ones(10))
    before = homes(made)
    made.use(ones(11))
    moved = [now for now, then in zip(homes(made), before, strict=True) if now.number != then.number]  # type: ignore[union-attr]
    assert {one.number for one in moved if one} == {10}
    assert len(moved) < 1.6 * len(KEYS) / 11


def test_shares_are_even_and_follow_weights() -> None:
    counts = Counter(one.number for one in homes(ring(ones(10))) if one)
    assert all(0.6 < counts[number] * 10 / len(KEYS) < 1.4 for number in range(10))
    weighed = Counter(one.number for one in homes(ring(ones(10, (3, 1)))) if one)
    heavy = sum(weighed[number] for number in range(0, 10, 2))
    assert heavy / len(KEYS) == pytest.approx(0.75, abs=0.06)


def test_the_order_in_which_candidates_were_learned_does_not_matter() -> None:
    candidates = ones(7)
    assert homes(ring(candidates)) == homes(ring(candidates[::-1]))


def test_no_key_is_in_turn() -> None:
    candidates = ones(3)
    made = ring(candidates)
    assert [made.pick_for(b"") for _ in range(4)] == [*candidates, candidates[0]]


def test_a_retry_goes_to_the_next_on_the_ring_always_the_same() -> None:
    made = ring(ones(5))
    home = made.pick_for(b"ann")
    assert home is not None
    second = made.pick_for(b"ann", (home,))
    assert second is not home
    assert second is made.pick_for(b"ann", (home,))


def test_the_load_of_one_key_is_bounded() -> None:
    candidates = ones(4)
    made = ring(candidates, bound=125)
    for _ in range(100):
        picked = made.pick_for(b"ann")
        assert picked is not None
        picked.in_flight += 1
    assert max(candidate.in_flight for candidate in candidates) <= 32


def test_points_are_bounded() -> None:
    many = ones(1000)
    made = ring(many, 1024)
    assert len(made._hashes) <= MOST_POINTS
    assert set(made._owners) == set(many)


def test_more_points_begin_with_the_fewer() -> None:
    assert points(b"a", 20)[:7] == points(b"a", 7)
    assert len(set(points(b"a", 200))) == 200


def test_the_same_candidates_keep_their_ring() -> None:
    candidates = ones(3)
    made = ring(candidates)
    before = made._hashes
    made.use(candidates[::-1])
    assert made._hashes is before
    candidates[0].weight = 2
    made.use(candidates)
    assert len(made._hashes) == 200
