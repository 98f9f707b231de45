"""What filters are asked."""

from __future__ import annotations

from mesh.filters.query import target_of
from tests.mesh.filters.asking import query


def test_the_target_of_a_request_line() -> None:
    assert target_of(query("/a?b=c", "X: y z").lines) == b"/a?b=c"
