"""What stays in force of a configuration that has errors, and what is remembered of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.configset import ConfigSet
from config.loader import load
from config.meta import Named
from sidecar.last_good import NAME, keep, load_last_good, store_last_good

WEB = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
API = WEB.replace("web", "api")
NODE = "apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: here}\nspec: {zone: north}\n"
FILES = {"web.yaml": WEB, "sub/api.yaml": API, "node.yaml": NODE}

CASES: dict[str, tuple[dict[str, str | None], set[str]]] = {
    "all as it was": ({}, {"web", "api", "here"}),
    "faulty": ({"web.yaml": WEB.replace("ports", "prots")}, {"web", "api", "here"}),
    "not YAML": ({"web.yaml": "{"}, {"web", "api", "here"}),
    "no name": ({"web.yaml": WEB.replace("name: web", "label: web")}, {"web", "api", "here"}),
    "no such kind": ({"web.yaml": WEB.replace("Service", "Servce")}, {"web", "api", "here"}),
    "another kind": ({"web.yaml": WEB.replace("Service", "Pod")}, {"api", "here"}),
    "written without it": ({"web.yaml": "# nothing\n"}, {"api", "here"}),
    "another one with errors beside": (
        {"web.yaml": WEB.replace("web", "new").replace("ports", "prots")},
        {"api", "here"},
    ),
    "file gone": ({"sub/api.yaml": None}, {"web", "here"}),
    "moved": ({"sub/api.yaml": None, "other.yaml": API}, {"web", "api", "here"}),
    "node faulty under another name": ({"node.yaml": NODE.replace("here", "there").replace("zone", "zoo")}, {
        "web", "api", "here",
    }),
    "node replaced": ({"node.yaml": NODE.replace("here", "there")}, {"web", "api", "there"}),
}  # fmt: skip


def write(folder: Path, files: dict[str, str | None]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        if text is None:
            path.unlink()
        else:
            path.write_text(text)


@pytest.mark.parametrize("name", CASES)
def test_what_stays(name: str, tmp_path: Path) -> None:
    edited, expected = CASES[name]
    write(tmp_path, dict(FILES))
    before = load([tmp_path]).config_set
    write(tmp_path, edited)
    loaded = load([tmp_path])
    after = keep(loaded, before)
    assert {key.name for key in after.config_set.sources} == expected
    present = {key.name for key in loaded.config_set.sources}
    assert {key.name for key in after.kept} == expected - present
    assert after.config_set.node.zone == "north"
    assert after.faults == loaded.faults


@pytest.mark.parametrize("given", ["file", "folder"])
def test_a_path_that_was_given_and_is_gone_takes_nothing_with_it(given: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "web.yaml"
    file.write_text(WEB)
    paths = [file if given == "file" else tmp_path / "folder"]
    before = load(paths).config_set
    file.unlink()
    (tmp_path / "folder").rmdir()
    assert [key.name for key in keep(load(paths), before).kept] == ["web"]


def test_it_is_remembered_for_the_same_paths(tmp_path: Path) -> None:
    write(tmp_path, dict(FILES))
    config_set = load([tmp_path]).config_set
    state = tmp_path / "state"
    state.mkdir()
    assert load_last_good(state, [tmp_path]) == ConfigSet()
    store_last_good(state, [tmp_path], config_set)
    assert load_last_good(state, [tmp_path]) == config_set
    assert load_last_good(state, [tmp_path / "sub"]) == ConfigSet(), "another project's"
    assert (state / NAME).stat().st_mode & 0o077 == 0, "secrets may be in it"


def test_the_same_is_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WEB)
    config_set = load([tmp_path]).config_set
    store_last_good(tmp_path, [tmp_path], config_set)
    written = (tmp_path / NAME).stat()
    store_last_good(tmp_path, [tmp_path], config_set)
    assert (tmp_path / NAME).stat().st_ino == written.st_ino


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"\x92\x90", b"\x93\x01\x02\x03"])
def test_what_cannot_be_read_is_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert load_last_good(tmp_path, [tmp_path]) == ConfigSet()


def test_an_object_that_another_version_knew_differently_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, dict(FILES))
    store_last_good(tmp_path, [tmp_path], load([tmp_path]).config_set)
    content = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(content.replace(b"\xa4port\x50", b"\xa4port\xc0", 1))
    assert load_last_good(tmp_path, [tmp_path]).services.keys() == {Named("default", "api")}
