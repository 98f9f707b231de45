"""Malformed carries what client and log are told."""

from __future__ import annotations

from mesh.http1.errors import Malformed
from mesh.reasons import BAD_REQUEST


def test_details_default_to_the_reasons() -> None:
    assert Malformed(BAD_REQUEST).details == BAD_REQUEST.details
    assert str(Malformed(BAD_REQUEST, "no Host")) == "no Host"
