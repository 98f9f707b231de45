"""Fingerprints: the same for equal values, and nothing to those who have not the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.errors import UserError
from sidecar.fingerprints import FILE, new_fingerprints, noted_fingerprints
from sidecar.redaction import HIDDEN


def test_who_can_read_the_folder_can_compare(tmp_path: Path) -> None:
    made = new_fingerprints(tmp_path)
    noted = noted_fingerprints(tmp_path)
    assert made("hunter2") == noted("hunter2") != noted("hunter3")
    assert "hunter2" not in made("hunter2")
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_every_start_has_a_key_of_its_own(tmp_path: Path) -> None:
    first = new_fingerprints(tmp_path)
    assert new_fingerprints(tmp_path)("hunter2") != first("hunter2")


@pytest.mark.parametrize("content", [None, b"", b"short"])
def test_without_the_key_values_are_merely_hidden(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    assert noted_fingerprints(tmp_path)("hunter2") == HIDDEN


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        new_fingerprints(tmp_path / "nowhere")
