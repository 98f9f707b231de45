"""Keys of listeners read as addresses; tables do not change."""

from __future__ import annotations

import pytest

from mesh.table import ListenerKey, RoutingTable


@pytest.mark.parametrize(
    ("address", "text"), [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("0.0.0.0", "0.0.0.0:80")]
)
def test_listener_key(address: str, text: str) -> None:
    assert str(ListenerKey(address, 80)) == text


def test_immutable() -> None:
    with pytest.raises(AttributeError):
        RoutingTable().generation = 2  # type: ignore[misc]
