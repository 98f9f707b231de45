"""Plans are values: equal when they say the same."""

from __future__ import annotations

import pytest

from mesh.plan import BackendKey
from tests.mesh.making import endpoint, plan


def test_value() -> None:
    assert plan(endpoint(1)) == plan(endpoint(1)) != plan(endpoint(2))
    with pytest.raises(AttributeError):
        plan().via = False  # type: ignore[misc]


def test_a_key_reads_as_people_write_it() -> None:
    assert str(BackendKey("default", "shop", "http")) == "default/shop:http"
