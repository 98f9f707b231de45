from __future__ import annotations

import fnmatch
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given

from config.resources.workloads import Container
from discovery.platforms.commands import Command, NoCommand, command_of, match_image
from tests.texts import texts

IMAGES = {
    "shop:v1": ("serve", "--all"),
    "shop:*": ("serve",),
    "*": ("anything",),
    "*/shop:*": ("elsewhere",),
    "py:v1": ("python3", "-m", "app"),
    "empty:v1": (),
}

MATCHES = {
    "exact": ("shop:v1", "shop:v1"),
    "pattern": ("shop:v2", "shop:*"),
    "most specific pattern": ("registry.example/a/shop:v2", "*/shop:*"),
    "last resort": ("other:v1", "*"),
    "an exact name is no prefix": ("shop:v10", "shop:*"),
}


@pytest.mark.parametrize("name", MATCHES)
def test_match_image(name: str) -> None:
    image, expected = MATCHES[name]
    assert match_image(image, IMAGES) == expected


def test_no_match() -> None:
    assert match_image("other:v1", {"shop:*": ()}) is None
    assert match_image("ab", {"ab*ab": ()}) is None


@given(texts(8, "ab"), texts(6, "ab*"))
def test_patterns_are_those_of_fnmatch(image: str, pattern: str) -> None:
    found = match_image(image, {pattern: ()}) is not None
    assert found == bool(re.fullmatch(fnmatch.translate(pattern), image))


COMMANDS = {
    "image": (Container(name="c", image="shop:v1"), ("serve", "--all"), "node"),
    "image and args": (Container(name="c", image="shop:v1", args=("-v",)), ("serve", "--all", "-v"), "node"),
    "command replaces": (Container(name="c", image="shop:v1", command=("run",)), ("run",), "own"),
    "command and args": (Container(name="c", image="x", command=("run",), args=("-v",)), ("run", "-v"), "own"),
    "python3 is ours": (Container(name="c", image="py:v1"), (sys.executable, "-m", "app"), "node"),
    "working folder": (Container(name="c", command=("run",), working_dir="sub"), ("run",), "own/sub"),
    "image's working folder": (
        Container(name="c", image="shop:v1", working_dir="/nowhere/app"),
        ("serve", "--all"),
        "node",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_command_of(name: str, tmp_path: Path) -> None:
    container, argv, folder = COMMANDS[name]
    found = command_of(container, IMAGES, tmp_path / "own", tmp_path / "node")
    assert found == Command(argv, str(tmp_path / folder))


def test_absolute_working_folder_that_exists(tmp_path: Path) -> None:
    container = Container(name="c", command=("run",), working_dir=str(tmp_path))
    assert command_of(container, {}, Path("/own"), Path("/node")).folder == str(tmp_path)


FAULTS = {
    "names the line to add": ("my-app:v1", "add to the NodeConfig `spec.images: {my-app:v1: [python3, -m, my.app]}`"),
    "from a registry": ("registry:5000/team/my-app:v1@sha256:aa", "[python3, -m, my.app]}`"),
    "an entry without words": ("empty:v1", "image 'empty:v1' has no command"),
    "no image": ("", "neither an image nor a command"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_no_command(name: str) -> None:
    image, expected = FAULTS[name]
    with pytest.raises(NoCommand, match=re.escape(expected)):
        command_of(Container(name="c", image=image), {"empty:v1": ()}, Path(), Path())
