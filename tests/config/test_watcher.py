"""What counts as a change of the manifests, and what does not."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from config import watcher
from config.files import manifest_files
from config.watcher import PIECE, Watcher

LATER = 4_000_000_000.0
"""A clock so late that no file of this test is a recent one."""


def look(watching: Watcher) -> bool:
    steps = watching.look()
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return bool(done.value)


def replaced(folder: Path) -> None:
    (folder / "new").write_text("other")
    (folder / "new").replace(folder / "a.yaml")


def mounted(folder: Path) -> None:
    """As kubelet changes a ConfigMap: a symbolic link to a folder is swapped, and all files with it."""
    (folder / "..2").mkdir()
    (folder / "..2" / "c.yaml").write_text("second")
    os.symlink("..2", folder / "..new")
    (folder / "..new").replace(folder / "..data")


CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "nothing": (lambda folder: None, False),
    "written in place": (lambda folder: (folder / "a.yaml").write_text("other"), True),
    "same length": (lambda folder: (folder / "a.yaml").write_text("text of b"), True),
    "replaced": (replaced, True),
    "touched": (lambda folder: os.utime(folder / "a.yaml", (1, 1)), False),
    "written again as it was": (lambda folder: (folder / "a.yaml").write_text("text of a"), False),
    "gone": (lambda folder: (folder / "a.yaml").unlink(), True),
    "new": (lambda folder: (folder / "sub" / "d.json").write_text(""), True),
    "of no interest": (lambda folder: (folder / "notes.txt").write_text("x"), False),
    "renamed": (lambda folder: (folder / "a.yaml").rename(folder / "b.yaml"), True),
    "mounted": (mounted, True),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text("text of a")
    (tmp_path / "sub").mkdir()
    (tmp_path / "..1").mkdir()
    (tmp_path / "..1" / "c.yaml").write_text("first")
    os.symlink("..1", tmp_path / "..data")
    os.symlink("..data/c.yaml", tmp_path / "c.yaml")
    return tmp_path


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("clock", [lambda: LATER, lambda: os.stat("/proc/self").st_mtime], ids=["old", "recent"])
def test_changes(name: str, clock: Callable[[], float], folder: Path) -> None:
    change, counts = CHANGES[name]
    watching = Watcher([folder], clock)
    assert look(watching), "the first look finds everything new"
    assert not look(watching)
    change(folder)
    assert look(watching) is counts
    assert not look(watching), "a change is told once"


def test_a_path_that_comes_later(tmp_path: Path) -> None:
    watching = Watcher([tmp_path / "late" / "a.yaml"])
    assert not look(watching)
    (tmp_path / "late").mkdir()
    assert not look(watching)
    (tmp_path / "late" / "a.yaml").write_text("")
    assert look(watching)
    assert len(watching) == 1


def test_what_is_settled_is_not_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    digest = watcher._digest

    def counted(name: str) -> Generator[None, None, bytes]:
        reads.append(name)
        return digest(name)

    monkeypatch.setattr(watcher, "_digest", counted)
    old, recent = Watcher([folder], lambda: LATER), Watcher([folder])
    for watching in (old, old, recent, recent):
        look(watching)
    assert len(reads) == 2 + 2 * 2, "only what was written just now may have changed without its stamp"


def test_reading_is_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"x" * (3 * PIECE))
    assert len(list(Watcher([tmp_path]).look())) >= 4


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    watching = Watcher([tmp_path])
    look(watching)
    assert not look(watching)


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_after_many_looks_is_seen(folder: Path, case: str) -> None:
    change, differs = CHANGES[case]
    watching = Watcher([folder], lambda: LATER)
    look(watching)
    assert not any(look(watching) for _ in range(2 * watcher.LOOKS))
    change(folder)
    assert look(watching) is differs


def test_most_looks_list_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[object] = []
    monkeypatch.setattr(watcher, "manifest_files", _counting(listed))
    watching = Watcher([folder, folder / "absent.yaml"], lambda: LATER)
    looks = 4 * (watcher.LOOKS + 1)
    assert [look(watching) for _ in range(looks)] == [True] + [False] * (looks - 1)
    assert len(listed) == 4
    (folder / "absent.yaml").write_text("here")
    assert look(watching)


def test_a_folder_that_has_just_changed_is_listed_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[object] = []
    monkeypatch.setattr(watcher, "manifest_files", _counting(listed))
    watching = Watcher([folder], lambda: (folder / "sub").stat().st_mtime + 1)
    for _ in range(3):
        look(watching)
    assert len(listed) == 3


def _counting(calls: list[object]) -> Callable[..., Iterator[Path]]:
    def counted(*arguments: Any) -> Iterator[Path]:
        calls.append(arguments)
        return manifest_files(*arguments)

    return counted
