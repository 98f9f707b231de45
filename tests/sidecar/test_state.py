"""One weft per state folder, and what it leaves there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.errors import UserError
from sidecar.state import StateFolder, read_admin


def test_a_second_weft_is_refused_and_told_whose_it_is(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path / "deep" / "state")
    with pytest.raises(UserError, match=rf"another weft \(process {os.getpid()}\).*--state DIR"):
        StateFolder.open(folder.path)
    folder.close()
    StateFolder.open(folder.path).close()


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder = StateFolder.open(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    folder.close()


def test_a_folder_of_other_things_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("")
    tmp_path.chmod(0o755)
    with pytest.raises(UserError, match=r"files that are not weft's.*--state DIR"):
        StateFolder.open(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    (tmp_path / "letter").rename(tmp_path / "lock")
    StateFolder.open(tmp_path).close()
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be used \(.+\).*--state DIR"):
        StateFolder.open(tmp_path / "file")


def test_the_admin_address_is_noted_while_it_lives(tmp_path: Path) -> None:
    assert read_admin(tmp_path) == ""
    folder = StateFolder.open(tmp_path)
    folder.announce_admin("127.0.0.1:9901")
    assert read_admin(tmp_path) == "127.0.0.1:9901"
    folder.close()
    assert read_admin(tmp_path) == ""
