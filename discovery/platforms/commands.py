"""What an image runs on this machine: image name to argv, by Kubernetes' rules for command and args.

An image's ENTRYPOINT is what ``NodeConfig.spec.images`` says for its name; a container's ``command`` replaces
it, ``args`` follow either.  An argv runs in the folder of the file that gives it, so manifests and programs
move together.  Pure but for asking whether a ``workingDir`` exists.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from config.resources.workloads import Container


class Command(msgspec.Struct, frozen=True):
    """An argv before ``$(VAR)`` expansion, and the folder it runs in."""

    argv: tuple[str, ...]
    folder: str


class NoCommand(Exception):
    """Nothing says what this container runs here; the text says what to add."""


def command_of(container: Container, images: Mapping[str, tuple[str, ...]], own: Path, node: Path) -> Command:
    """The command of a container whose Deployment lies in folder `own` and whose NodeConfig in `node`.

    Raises NoCommand when neither the container nor the NodeConfig says what to run.
    """
    entry, folder = container.command, own
    if not entry:
        name = match_image(container.image, images)
        if name is None or not images[name]:
            raise NoCommand(_remedy(container.image))
        entry, folder = images[name], node
    return Command(own_python((*entry, *container.args)), str(_working_folder(container.working_dir, folder)))


def own_python(argv: tuple[str, ...]) -> tuple[str, ...]:
    """``python3`` is the interpreter that runs weft, so that an example needs no other."""
    return (sys.executable, *argv[1:]) if argv[:1] == ("python3",) else argv


def match_image(image: str, images: Mapping[str, object]) -> str | None:
    """The entry of `images` for an image: its exact name, else the pattern with the most literal characters."""
    if image in images:
        return image
    patterns = [name for name in images if "*" in name and _matches(image, name)]
    return max(patterns, key=lambda name: (len(name) - name.count("*"), name), default=None)


def _matches(image: str, pattern: str) -> bool:
    """Whether the literal parts of `pattern` occur in order: greedy from the left, in linear time."""
    first, *middle, last = pattern.split("*")
    if len(image) < len(first) + len(last) or not (image.startswith(first) and image.endswith(last)):
        return False
    position, end = len(first), len(image) - len(last)
    for part in middle:
        found = image.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _working_folder(working_dir: str, folder: Path) -> Path:
    """A path inside an image, such as ``/app``, means nothing here unless it exists."""
    if not working_dir:
        return folder
    wanted = folder / working_dir
    return folder if Path(working_dir).is_absolute() and not wanted.is_dir() else wanted


def _remedy(image: str) -> str:
    if not image:
        return "the container has neither an image nor a command"
    program = image.rpartition("/")[2].partition("@")[0].partition(":")[0].replace("-", ".")
    return (
        f"image {image!r} has no command on this machine: add to the NodeConfig "
        f"`spec.images: {{{image}: [python3, -m, {program}]}}` with the command that it runs"
    )
