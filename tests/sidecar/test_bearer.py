"""The bearer token of the admin API."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.bearer import FILE, may_write, new_token, noted_token
from sidecar.errors import UserError

GOOD = "Bearer secret"
ROWS: dict[str, tuple[tuple[str, str, str], bool]] = {
    "the token": ((GOOD, "", "localhost:9901"), True),
    "in other letters": (("bearer secret", "", "localhost:9901"), True),
    "none": (("", "", "localhost:9901"), False),
    "another one": (("Bearer wrong", "", "localhost:9901"), False),
    "the start of it": (("Bearer secre", "", "localhost:9901"), False),
    "another scheme": (("Basic secret", "", "localhost:9901"), False),
    "characters that are none": (("Bearer \udcff", "", "localhost:9901"), False),
    "a page of our own": ((GOOD, "http://localhost:9901", "localhost:9901"), True),
    "a page of another origin": ((GOOD, "http://evil.example", "localhost:9901"), False),
    "a page of another port": ((GOOD, "http://localhost:1", "localhost:9901"), False),
    "a page of no origin": ((GOOD, "null", "localhost:9901"), False),
}


@pytest.mark.parametrize(("fields", "expected"), ROWS.values(), ids=ROWS)
def test_who_may_write(fields: tuple[str, str, str], expected: bool) -> None:
    assert may_write("secret", *fields) is expected


def test_it_is_new_at_every_start_and_for_the_owner_only(tmp_path: Path) -> None:
    first = new_token(tmp_path)
    assert noted_token(tmp_path) == first
    assert new_token(tmp_path) != first
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_without_it_the_state_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--state DIR names its state folder, .* those with --peers"):
        noted_token(tmp_path)
    (tmp_path / "folder" / FILE).mkdir(parents=True)
    with pytest.raises(UserError, match="cannot be written"):
        new_token(tmp_path / "folder")
