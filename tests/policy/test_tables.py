"""Rows that run as one test hide nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.policy.source import ROOT

ROWS = """
import pytest

@pytest.mark.parametrize("n", [1, 2, 3, 4], ids=["one", "two", "three", "four"])
def test_rows(n):
    open("ran", "a").write(str(n))
    if n == 1:
        pytest.skip("not here")
    assert n % 2, n

@pytest.mark.parametrize("n", [1, 2])
def test_with_a_fixture(n, tmp_path):
    assert n == 1
"""


@pytest.mark.parametrize(
    ("words", "ran", "told"),
    [
        pytest.param((), "1234", {"test_rows[two]", "test_rows[four]", "test_with_a_fixture[2]"}, id="all"),
        pytest.param(("-k", "two or three"), "23", {"test_rows[two]"}, id="some"),
        pytest.param(("-k", "four"), "4", {"test_rows[four]"}, id="one"),
        pytest.param(("-k", "one"), "1", set(), id="none fails"),
    ],
)
def test_each_row_runs_and_those_that_fail_are_named(
    words: tuple[str, ...], ran: str, told: set[str], tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(ROWS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.tools.tables", *words, str(tmp_path / "test_it.py")]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (tmp_path / "ran").read_text() == ran
    assert set(re.findall(r"test_it\.py::(\w+\[\w+\])", done.stdout)) == told
    assert done.returncode == bool(told), done.stdout
