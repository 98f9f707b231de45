"""Request ids are unique, within and across blocks, and what comes from outside is looked at."""

from __future__ import annotations

from itertools import count, islice

import pytest

from mesh.request_id import acceptable, request_ids


def test_ids_do_not_repeat() -> None:
    numbers = count()
    ids = list(islice(request_ids(lambda n: next(numbers).to_bytes(n, "big")), 1000))
    assert len(set(ids)) == 1000
    assert {len(one) for one in ids} == {16}
    assert next(numbers) == 4


def test_what_follows_an_id() -> None:
    assert next(request_ids(bytes, b"!")) == b"0000000000000000!"


@pytest.mark.parametrize(
    ("raw", "fine"), [(b"a-1", True), (b"", False), (b"a b", False), (b"\xff", False), (b"a" * 129, False)]
)
def test_acceptable(raw: bytes, fine: bool) -> None:
    assert acceptable(raw) is fine
