"""What is common to those that peek; each of them has tests of its own."""

from __future__ import annotations

import pytest

from mesh.introduction import Introduction
from mesh.peeking import Peeking
from mesh.sniffer import Sniffer


@pytest.mark.parametrize("kind", [Introduction, Sniffer])
def test_nothing_is_read(kind: type[Peeking]) -> None:
    peeking = kind.__new__(kind)
    with pytest.raises(AssertionError, match="nothing is read"):
        peeking.on_leftover(0, b"x")
    assert not hasattr(peeking, "__dict__")
