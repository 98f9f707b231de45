"""The budget of descriptors, and the limit that it divides."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mesh.descriptors import PER_CONNECTION, RESERVE, Descriptors

SHARES = {"few": (64, 48), "usual": (1024, 1024 - RESERVE), "many": (1_048_576, 1_048_576 - RESERVE)}


@pytest.mark.parametrize("case", SHARES)
def test_a_reserve_is_kept(case: str) -> None:
    limit, free = SHARES[case]
    assert Descriptors(limit).free == free


def test_connections_are_admitted_until_none_fits() -> None:
    descriptors = Descriptors(64)
    admitted = 0
    while descriptors.connections:
        descriptors.free -= PER_CONNECTION
        admitted += 1
    assert admitted == 24
    descriptors.free += PER_CONNECTION
    assert descriptors.connections


RAISED = """
import resource
from mesh.descriptors import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 700))
print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE), raise_limit())
"""


def test_the_limit_is_raised_to_the_hard_one() -> None:
    process = subprocess.run([sys.executable, "-c", RAISED], capture_output=True, text=True, timeout=30, check=True)
    assert process.stdout.split() == ["700", "700", "700", "700"]
