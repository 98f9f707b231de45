"""Sliced documents are the JSON that they would be in one piece."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.documents import ITEMS_PER_SLICE, slices
from tests.texts import texts

ITEMS = st.lists(st.dictionaries(texts(3), st.integers(0, 9), max_size=2), max_size=5)


@given(st.dictionaries(texts(5), ITEMS, max_size=4))
def test_slices_join_to_the_document(document: dict[str, list[dict[str, int]]]) -> None:
    lazy = {name: iter(items) for name, items in document.items()}
    assert json.loads(b"".join(slices(lazy))) == document


@pytest.mark.parametrize("count", [0, 1, ITEMS_PER_SLICE - 1, ITEMS_PER_SLICE, ITEMS_PER_SLICE + 1, 1000])
def test_long_listings_come_in_many_slices(count: int) -> None:
    parts = list(slices({"items": iter(range(count)), "n": count}))
    assert json.loads(b"".join(parts)) == {"items": list(range(count)), "n": count}
    assert len(parts) >= count / ITEMS_PER_SLICE
