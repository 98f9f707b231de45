"""A role from start to end; ``weft up`` is all that one machine needs, in one process.

Named phases in reading order; what can be refused is refused before the first replica starts.  Manifests are
read in a process of their own, and meanwhile this one imports what it will run: on two cores a start takes
little longer than the longer of the two.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sidecar.lifecycle import Lifecycle
from sidecar.local_route import local_route
from sidecar.options import Options
from sidecar.roles import UP, Role
from sidecar.state import StateFolder
from sidecar.written import Manifests, Written, report, require_node, require_usable

if TYPE_CHECKING:
    from sidecar.channel.received import Received


async def up(paths: Sequence[Path], options: Options, lifecycle: Lifecycle, role: Role = UP) -> int:
    """Run until `lifecycle` ends; the exit code.  Raises UserError for what the user can put right."""
    with closing(StateFolder.open(options.state)) as state:
        manifests = Manifests(paths, state, _received(role, state, lifecycle))
        if (read := await lifecycle.unless_stopped(_read(manifests))) is None:
            return 0
        written, serving = read
        report(written, sys.stderr)
        require_node(written)
        if role.needs_work:
            require_usable(written, paths)
        with ExitStack() as reached:
            if role.carries_traffic:
                reached.enter_context(local_route(written.config_set.node.service_range, state.path))
            await serving.serve(written, manifests, state, options, lifecycle, role=role)
    return lifecycle.exit_code


def _received(role: Role, state: StateFolder, lifecycle: Lifecycle) -> Received | None:
    """What the channel brings, where there is one."""
    if role.channel is None:
        return None
    from sidecar.channel.received import received

    return received(role.channel, state.path, role.carries_traffic, lifecycle.reload)


async def _read(manifests: Manifests) -> tuple[Written, ModuleType]:
    await manifests.changed()  # from now on
    return await asyncio.gather(manifests.read(), _import_serving())


async def _import_serving() -> ModuleType:
    """`sidecar.serving` and all that it needs to carry traffic and to run replicas."""
    await asyncio.sleep(0.001)  # by then the helper process is under way
    return import_module("sidecar.serving")
