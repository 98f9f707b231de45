"""Bodies that are announced too long."""

from __future__ import annotations

import pytest

from mesh.filters.size import Size
from mesh.http1.body import CHUNKED
from tests.mesh.filters.asking import query


@pytest.mark.parametrize(("length", "refused"), [(0, False), (10, False), (11, True), (2**62, True), (CHUNKED, False)])
def test_sizes(length: int, refused: bool) -> None:
    reply = Size(10)(query(length=length))
    assert (reply is not None) == refused
    assert reply is None or reply.reason.status == 413
