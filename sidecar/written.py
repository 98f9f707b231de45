"""What was written, read and completed for a run: manifests to a ConfigSet with all addresses given out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from config.aside import load_aside
from config.configset import ConfigSet
from config.errors import Fault
from discovery.allocation import allocate
from discovery.assignments import load_assignments, save_assignments
from sidecar.errors import UserError
from sidecar.findings import Findings, lines
from sidecar.state import StateFolder
from sidecar.terminal import Painter

MOST_FAULTS = 50
"""More are not printed: ``weft validate`` shows all."""


class Written(NamedTuple):
    config_set: ConfigSet
    faults: tuple[Fault, ...]

    @property
    def failed(self) -> bool:
        """Whether an object was refused."""
        return any(fault.severity == "error" for fault in self.faults)

    @property
    def usable(self) -> bool:
        """Whether there is anything to run or to serve."""
        return bool(self.config_set.services or self.config_set.deployments)


async def read_written(paths: Sequence[Path], state: StateFolder) -> Written:
    """Read the manifests in a helper process and give out the addresses that they leave open."""
    loaded = await load_aside(paths)
    remembered, forgotten = load_assignments(state.path / "assignments.json")
    allocated = allocate(loaded.config_set, remembered)
    # A Service that is written wrongly today still has its address when it is mended.
    assignments = allocated.assignments.keeping(remembered) if loaded.failed else allocated.assignments
    try:
        save_assignments(state.path / "assignments.json", assignments)
    except OSError as error:
        raise UserError(f"the state folder {state.path} cannot be written ({error.strerror})") from None
    return Written(allocated.config_set, (*loaded.faults, *forgotten, *allocated.faults))


def report(written: Written, err: TextIO) -> None:
    """Print the faults, as ``weft validate`` does."""
    if written.faults:
        findings = Findings(written.faults[:MOST_FAULTS], len(written.config_set.sources))
        more = len(written.faults) - MOST_FAULTS
        text = lines(findings, Painter(err))
        text += [f"... and {more} more: weft validate shows all"] if more > 0 else []
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
