"""Compiling gives the tables that are written down; `python -m tests.tools.golden` writes them anew."""

from __future__ import annotations

import pytest

from tests.tools.golden import FOLDER, NAMES, golden


@pytest.mark.parametrize("name", NAMES)
def test_the_table_is_as_written(name: str) -> None:
    assert golden(name).splitlines() == (FOLDER / f"{name}.txt").read_text().splitlines()


def test_every_text_has_its_manifests() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(NAMES)


def test_a_text_does_not_depend_on_the_run() -> None:
    assert golden("filters") == golden("filters")
