"""Manifests that came by the channel, in the state folder: read beside a node's own files, and like them.

So all that holds for files holds for them: a mistake keeps the last good version in force, they are there after a
restart and while the registry is gone, and of two objects with the same name the node's own stays, which is told.
The file is replaced as a whole, beside the traffic, and soon after the last of a burst of changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Generator, Iterable
from pathlib import Path
from typing import Final

from config.meta import ObjectKey
from discovery.assignments import replace_whole
from mesh.steps import run_in_slices
from sidecar.channel.credentials import FOLDER
from sidecar.channel.guard import NotTaken, Runs, left_out, taken
from sidecar.channel.messages import Manifest, Manifests
from sidecar.channel.options import ChannelOptions
from sidecar.errors import UserError

FILE: Final = "manifests.json"
JOIN_SECONDS: Final = 0.02
"""Changes that come so soon after each other are written together."""
RETRY_SECONDS: Final = 5.0
BATCH: Final = 100
"""Manifests that are made ready in one step."""

log = logging.getLogger("weft.channel")


class Received:
    """The objects of the channel; `run` writes them."""

    def __init__(self, state: Path, changed: Callable[[], None], runs: Runs | None) -> None:
        """`changed`: called after each write; `runs`: the Deployments to take, None: all, where nothing runs."""
        self.path = state / FOLDER / FILE
        self._changed = changed
        self.runs = runs
        self._manifests: dict[ObjectKey, Manifest] = {}
        self._next: dict[ObjectKey, Manifest] | None = None
        """What a whole state that has not come to its end has so far."""
        self._generation = self._uses = 0
        self._is_touched = False
        """Something came that is not in the file."""
        self.kept: list[Callable[[], None]] = []
        """Called when what is in force turns out to be what is wanted now, too."""
        self._woken = asyncio.Event()
        self._refused: dict[ObjectKey, str] = {}
        self.written = 0
        """The generation that is in the file; 0: as an earlier run left it."""
        self.read = 0
        """The generation that was in the file when it began to be read the last time."""
        self._uses_written = 0
        self.uses = 0
        """As `read`, the number of the `Uses` that what was in the file is made of."""
        self._is_being_read = False
        """What was in the file then is not in force yet."""

    def prepare(self) -> None:
        """Have a file there, empty if nothing has ever come.  Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            replace_whole(self.path, b"".join(_file(())))

    def take(self, message: Manifests) -> None:
        """What came; it is written once it is complete."""
        if message.whole and self._next is None:
            self._next = {}
        there = self._manifests if self._next is None else self._next
        for key in message.gone:
            there.pop(ObjectKey(*key), None)
        there.update((each.key, each) for each in message.put)
        self._is_touched = self._is_touched or bool(message.whole or message.put or message.gone)
        if message.more:
            return
        is_current = not (self._is_touched or self._is_being_read)
        is_in_force = is_current and self._generation == self.written == self.read
        if self._next is not None:
            self._manifests, self._next = self._next, None
        self._generation, self._uses = message.generation, message.uses
        if is_in_force:
            self.written = self.read = message.generation
            self._uses_written = self.uses = message.uses
            for tell in self.kept:
                tell()
        else:
            self._woken.set()

    def interrupted(self) -> None:
        """The connection is gone, and with it the rest of what was coming."""
        self._next = None

    def reading(self) -> None:
        """The file is read now."""
        self.read, self.uses = self.written, self._uses_written
        self._is_being_read = True

    def in_force(self) -> None:
        """What was read last is in force."""
        self._is_being_read = False

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(JOIN_SECONDS)
            self._woken.clear()
            generation, uses = self._generation, self._uses
            self._is_touched = False
            content = await run_in_slices(self._content(tuple(self._manifests.values())))
            try:
                await asyncio.to_thread(replace_whole, self.path, content)
            except OSError as error:
                self._is_touched = True
                log.error("%s cannot be written: %s", self.path, error.strerror)
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._woken.set)
                continue
            self.written, self._uses_written = generation, uses
            self._changed()

    def _content(self, manifests: Collection[Manifest]) -> Generator[None, None, bytes]:
        bodies = []
        refused: dict[ObjectKey, str] = {}
        for number, each in enumerate(manifests):
            try:
                bodies.append(bytes(each.body) if self.runs is None else taken(each, self.runs))
                if self.runs is not None and (fields := left_out(each, self.runs)):
                    refused[each.key] = f"{', '.join(fields)} left out: only this node's own files say what is executed"
            except NotTaken as reason:
                refused[each.key] = f"not taken: {reason}"
            if not number % BATCH:
                yield
        for key in (key for key, why in refused.items() if self._refused.get(key) != why):
            log.warning("%s, which the registry sent: %s", key, refused[key])
        self._refused = refused
        return b"".join(_file(bodies))


def received(options: ChannelOptions, state: Path, carries_traffic: bool, changed: asyncio.Event) -> Received:
    """What comes by the channel, in the state folder.  Raises UserError if that cannot be written."""
    runs = Runs(options.runs, options.run_with) if carries_traffic else None
    made = Received(state.resolve(), changed.set, runs)
    try:
        made.prepare()
    except OSError as error:
        raise UserError(f"{made.path} cannot be written ({error.strerror})") from None
    return made


def _file(bodies: Iterable[bytes]) -> Iterable[bytes]:
    """A List with an object in each line, so that a line tells which one is meant."""
    yield b'{"apiVersion":"v1","kind":"List","items":['
    separator = b"\n"
    for body in bodies:
        yield separator + body
        separator = b",\n"
    yield b"\n]}\n"
