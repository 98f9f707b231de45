"""Paths to texts: folders, what is passed over, what is refused."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from config import files
from config.errors import FaultList
from config.files import read_texts


def texts(*paths: Path) -> tuple[list[tuple[str, str]], list[str]]:
    faults = FaultList()
    found = list(read_texts(paths, faults))
    return found, [f"{fault.severity} {fault}" for fault in faults.all()]


def test_a_folder_stands_for_its_manifests_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.json", "c.yml", "sub/d.yaml", "notes.txt", ".hidden.yaml", ".git/e.yaml", "z.yaml~"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    found, faults = texts(tmp_path)
    assert [text for _, text in found] == ["a.json", "b.yaml", "c.yml", "sub/d.yaml"]
    assert found[0][0] == str(tmp_path / "a.json")
    assert faults == []


def test_a_file_is_read_once_and_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "manifest"
    file.write_text("a: 1")
    (tmp_path / "link.yaml").symlink_to(file)
    found, _ = texts(file, file, tmp_path)
    assert [text for _, text in found] == ["a: 1"]


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.yaml").symlink_to(tmp_path / "self.yaml")
    found, faults = texts(tmp_path)
    assert len(found) == 1
    assert len(faults) == 1


def forbidden() -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_paths_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    odd = ("nowhere", "file/in", "nul\0", "x" * 5000)
    found, faults = texts(*(tmp_path / name for name in odd))
    assert found == []
    assert [fault.rpartition(": ")[2] for fault in faults] == [*["no such file or folder"] * 3, "File name too long"]
    with monkeypatch.context() as closed:
        closed.setattr(Path, "stat", lambda _path, **_: forbidden())  # root may enter everything
        _, faults = texts(tmp_path)
    assert [fault.rpartition(": ")[2] for fault in faults] == ["Permission denied"]


CONTENTS = [
    ("byte order mark", b"\xef\xbb\xbfa: 1", "a: 1", ""),
    ("utf-16", "a: 1".encode("utf-16"), None, "1:1: the encoding is UTF-16: save it as UTF-8"),
    ("utf-32", "a: 1".encode("utf-32"), None, "1:1: the encoding is UTF-32: save it as UTF-8"),
    ("latin-1", b"a: 1\nb: caf\xe9\n", None, "2:7: byte 0xe9 is not valid UTF-8: save the file as UTF-8"),
    ("first byte", b"\x80", None, "1:1: byte 0x80 is not valid UTF-8"),
]


@pytest.mark.parametrize(("data", "text", "fault"), [row[1:] for row in CONTENTS], ids=[row[0] for row in CONTENTS])
def test_encodings(tmp_path: Path, data: bytes, text: str | None, fault: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(data)
    found, faults = texts(file)
    assert [each for _, each in found] == ([] if text is None else [text])
    assert (fault in faults[0]) if fault else faults == []


def test_a_pipe_that_was_handed_over_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 4)
    for text, fault in (("a: 1", []), ("a: 12", ["larger than"])):
        reading, writing = os.pipe()
        os.write(writing, text.encode())
        os.close(writing)
        path = Path(f"/dev/fd/{reading}")
        found, faults = texts(path, path)
        os.close(reading)
        assert found == ([] if fault else [(str(path), text)])
        assert [words in said for words, said in zip(fault, faults, strict=True)] == [True] * len(fault)


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, large, folder = tmp_path / "pipe", tmp_path / "large.yaml", tmp_path / "empty"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(files.MAX_BYTES + 1)
    folder.mkdir()
    started = time.monotonic()
    found, faults = texts(tmp_path / "missing.yaml", pipe, large, folder, tmp_path / "a\0b")
    assert time.monotonic() - started < 5
    assert found == []
    for words in ("missing.yaml:1:1: no such file", ": not a regular file", "larger than 16 MiB", "warning "):
        assert any(words in fault for fault in faults), words
    monkeypatch.setattr(files, "MAX_FILES", 1)
    for name in ("a.yaml", "b.yaml", "c.yaml"):
        (folder / name).write_text("a")
    found, faults = texts(folder)
    assert len(found) == 1
    assert faults == [f"error {folder / 'b.yaml'}:1:1: more than 1 manifest files: the rest is not read"]
