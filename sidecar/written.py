"""What was written, read and completed for a run: manifests to a ConfigSet with all addresses given out.

The work is done by `sidecar.reader`, in a process of its own, unless all is as before (`sidecar.rereading`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from config.aside import load_aside
from config.configset import ConfigSet
from config.errors import Fault
from config.meta import ObjectKey
from config.watcher import Watcher
from discovery.platforms.making import finding
from mesh.steps import run_in_slices
from sidecar.errors import UserError
from sidecar.findings import Findings, lines
from sidecar.state import FOUND, StateFolder
from sidecar.terminal import Painter

if TYPE_CHECKING:
    from sidecar.channel.received import Received

MOST_FAULTS = 50
"""More are not printed: ``weft validate`` shows all."""


class Written(NamedTuple):
    config_set: ConfigSet
    faults: tuple[Fault, ...]
    kept: tuple[ObjectKey, ...] = ()
    """Objects that are there in their last good version."""
    read: bool = True
    """Whether it is known what is written; False: nothing is, and `faults` say why."""

    @property
    def errors(self) -> int:
        """How many faults are errors."""
        return sum(fault.severity == "error" for fault in self.faults)

    @property
    def failed(self) -> bool:
        """Whether an object was refused."""
        return self.errors > 0

    @property
    def usable(self) -> bool:
        """Whether there is anything to run or to serve."""
        finds = finding(self.config_set.node.platforms)  # and there may be none yet
        return bool(finds or self.config_set.services or self.config_set.deployments)


class Manifests:
    """The manifests of `paths` (files and folders), and what a run keeps beside them in its `state` folder."""

    def __init__(self, paths: Sequence[Path], state: StateFolder, received: Received | None = None) -> None:
        """`received`: what comes by the channel; where own manifests say the same objects, these stay."""
        self._paths = tuple(paths)
        self._found = state.path.resolve() / FOUND
        self._received = received
        self._state = str(state.path.resolve())
        self._watcher = Watcher((*self._paths, *self._last, self._found))

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that is read."""
        return (*self._paths, *self._last, *([self._found] if self._found.exists() else ()))

    @property
    def _last(self) -> tuple[Path, ...]:
        return () if self._received is None else (self._received.path,)

    @property
    def received(self) -> Received | None:
        """What comes by the channel; None: nothing does."""
        return self._received

    @property
    def files(self) -> int:
        """How many there were when it was last asked whether they changed."""
        return len(self._watcher)

    async def changed(self) -> bool:
        """Whether what is written differs from when this was last asked."""
        return await run_in_slices(self._watcher.look())

    async def read(self, previous: ConfigSet | None = None) -> Written:
        """Read them in a helper process, which also gives out the addresses that they leave open.

        What is the same as in `previous` is the same object.
        """
        if self._received is not None:
            self._received.reading()
        loaded = await load_aside(self.paths, previous, reader="sidecar.rereading", arguments=(self._state,))
        return Written(loaded.config_set, loaded.faults, loaded.kept, loaded.read)


def report(written: Written, err: TextIO) -> None:
    """Print the faults, as ``weft validate`` does."""
    if written.faults:
        findings = Findings(written.faults[:MOST_FAULTS], len(written.config_set.sources))
        more = len(written.faults) - MOST_FAULTS
        text = lines(findings, Painter(err))
        text += [f"... and {more} more: weft validate shows all"] if more > 0 else []
        text += [f"{key}: its last good version is in force" for key in written.kept[:MOST_FAULTS]]
        err.write("\n".join([*text, ""]))
        err.flush()


def require_usable(written: Written, paths: Sequence[Path]) -> None:
    """Raises UserError if nothing is left to run or to serve."""
    if not written.usable:
        named = " ".join(map(str, paths))
        why = (
            "no Service and no Deployment is without errors" if written.failed else "there is no Service or Deployment"
        )
        raise UserError(f"nothing to run in {named}: {why}")


def require_node(written: Written) -> None:
    """Raises UserError if the NodeConfig has errors, and no good version of it is remembered.

    With defaults in its place weft would listen elsewhere, run nothing, and take unsigned updates.
    """
    if any(key.kind == "NodeConfig" for key in written.config_set.sources):
        return
    for fault in written.faults:
        if fault.severity == "error" and fault.object and fault.object.kind == "NodeConfig":
            raise UserError(f"{fault.object} has errors, and no earlier version to go on with: see {fault.source}")
