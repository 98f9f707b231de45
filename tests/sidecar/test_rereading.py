"""What was read is not read again, unless anything differs on which reading depends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from config.frames import frames
from config.loader import load
from sidecar import rereading
from sidecar.reader import read
from sidecar.rereading import NAME, load_kept, read_and_keep

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {ports: [{port: 80}]}\n"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Path]]:
    """A state folder, and manifests of which what was made is kept in it."""
    monkeypatch.setattr(rereading, "MANY_OBJECTS", 1)
    state, manifests = tmp_path / "state", tmp_path / "manifests"
    state.mkdir()
    manifests.mkdir()
    (manifests / "app.yaml").write_text(SERVICE % "app")
    made = read_and_keep([manifests], state)
    assert load_kept(state, [manifests]) == made
    return state, [manifests]


def test_it_is_what_reading_again_would_make(written: tuple[Path, list[Path]]) -> None:
    state, paths = written
    assert load_kept(state, paths) == frames(read(paths, state))


def _other_text(state: Path, manifests: Path) -> None:
    (manifests / "app.yaml").write_text(SERVICE % "other")


def _another_file(state: Path, manifests: Path) -> None:
    (manifests / "other.yaml").write_text(SERVICE % "other")


def _a_mistake(state: Path, manifests: Path) -> None:
    (manifests / "other.yaml").write_text("kind: [")


def _gone(state: Path, manifests: Path) -> None:
    (manifests / "app.yaml").unlink()


def _other_addresses(state: Path, manifests: Path) -> None:
    (state / "assignments.json").write_text("{}")


def _cut_off(state: Path, manifests: Path) -> None:
    (state / NAME).write_bytes((state / NAME).read_bytes()[:-1])


def _not_there(state: Path, manifests: Path) -> None:
    (state / NAME).unlink()


@pytest.mark.parametrize(
    "differ", [_other_text, _another_file, _a_mistake, _gone, _other_addresses, _cut_off, _not_there]
)
def test_what_differs_is_read(differ: Callable[[Path, Path], None], written: tuple[Path, list[Path]]) -> None:
    state, paths = written
    differ(state, *paths)
    assert load_kept(state, paths) is None
    assert read_and_keep(paths, state) == frames(read(paths, state))


def test_another_program_reads_anew(written: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rereading, "PACKAGES", ("config",))
    assert load_kept(*written) is None


def test_what_has_mistakes_is_not_kept(written: tuple[Path, list[Path]]) -> None:
    state, paths = written
    (paths[0] / "wrong.yaml").write_text("kind: [")
    read_and_keep(paths, state)
    assert load_kept(state, paths) is None


def test_what_changes_while_it_is_read_is_not_kept(
    written: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    state, [manifests] = written
    (state / NAME).unlink()

    def read_slowly(paths: list[Path], folder: Path) -> object:
        loaded = load(paths)
        (manifests / "app.yaml").write_text(SERVICE % "late")
        return loaded

    monkeypatch.setattr("sidecar.reader.read", read_slowly)
    read_and_keep([manifests], state)
    assert not os.path.exists(state / NAME)
