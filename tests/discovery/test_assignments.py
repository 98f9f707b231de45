"""The file of assignments: whole or not there, and never a reason to stop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from discovery.assignments import LARGEST_FILE, Assignments, load_assignments, save_assignments

SOME = Assignments({"default/web": "127.96.1.2"}, {"default/web/TCP/http": 30123}, {"default/web/TCP/http": 20123})


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "assignments.json"
    save_assignments(path, SOME)
    assert load_assignments(path) == (SOME, ())
    save_assignments(path, Assignments())
    assert load_assignments(path) == (Assignments(), ())
    assert [each.name for each in tmp_path.iterdir()] == ["assignments.json"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_remembered_is_no_fault(tmp_path: Path) -> None:
    assert load_assignments(tmp_path / "none.json") == (Assignments(), ())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"cluster_ips": {"a": 1}}',
        b'{"node_ports": {"a": "b"}}',
        b'{"other": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"cluster_ips": {"a": "127.96.0.',
    ],
    ids=["empty", "cut", "a list", "a number", "text", "unknown", "no UTF-8", "deep", "cut in text"],
)
def test_a_file_that_is_none_starts_anew_with_a_warning(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "assignments.json"
    path.write_bytes(content)
    assignments, (fault,) = load_assignments(path)
    assert assignments == Assignments()
    assert fault.severity == "warning"
    assert fault.source.file == str(path)
    assert "given out anew" in fault.message


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "assignments.json"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    assignments, (fault,) = load_assignments(path)
    assert assignments == Assignments()
    assert "too large" in fault.message


def test_a_folder_in_its_place_is_a_warning(tmp_path: Path) -> None:
    assert load_assignments(tmp_path)[1][0].severity == "warning"


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "assignments.json"
    save_assignments(path, SOME)

    def disk_full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="no space"):
        save_assignments(path, Assignments())
    assert load_assignments(path) == (SOME, ())
