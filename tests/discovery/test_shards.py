"""What is as it was is shared by versions, and no version changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.shards import COUNT, Shards

KEYS = st.integers(0, 4 * COUNT)


@given(st.lists(st.tuples(st.dictionaries(KEYS, st.integers(), max_size=20), st.sets(KEYS, max_size=5)), max_size=6))
def test_it_is_what_a_dict_would_be(turns: list[tuple[dict[int, int], set[int]]]) -> None:
    versions: list[tuple[Shards[int, int], dict[int, int]]] = [(Shards(), {})]
    for put, gone in turns:
        found, expected = versions[-1]
        left = gone & (expected.keys() - put.keys())
        after = {key: value for key, value in {**expected, **put}.items() if key not in left}
        versions.append((found.changed(put, left), after))
    for found, expected in versions:
        assert found == expected
        assert (len(found), set(found), set(found.items())) == (len(expected), set(expected), set(expected.items()))
        for key in (1, COUNT + 1, *expected):
            assert (found.get(key), found.get(key, -1), key in found) == (
                expected.get(key), expected.get(key, -1), key in expected,
            )  # fmt: skip


def test_a_change_copies_one_shard() -> None:
    before = Shards[int, int]().changed({key: key for key in range(10 * COUNT)})
    after = before.changed({5: -5}, [COUNT + 5])
    shared = [one is other for one, other in zip(before._shards, after._shards, strict=True)]
    assert shared.count(False) == 1
    assert (before[5], after[5], COUNT + 5 in after) == (5, -5, False)
