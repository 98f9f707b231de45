"""What tests of the data plane share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_collections() -> Iterator[None]:
    """For tests that measure time: a collection looks at everything that the whole run has made."""
    gc.disable()
    yield
    gc.enable()
