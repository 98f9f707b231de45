"""The role of ``weft up``: all that one machine needs, in one process.

Named phases in reading order.  What can be refused is refused before the first replica starts; what is slow
to import is imported while the manifests are read in a process of their own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from socket import socket

from sidecar.announcer import Announcer, commands_to_try
from sidecar.assembly import Assembly
from sidecar.lifecycle import Lifecycle
from sidecar.options import Address, Options, default_state
from sidecar.progress import Progress
from sidecar.state import StateFolder
from sidecar.taken import bind_admin, refuse_taken
from sidecar.written import Written, read_written, report, require_usable


async def up(paths: Sequence[Path], options: Options, lifecycle: Lifecycle) -> int:
    """Run until `lifecycle` ends; the exit code.  Raises UserError for what the user can put right."""
    with closing(StateFolder.open(options.state)) as state:
        written, _ = await asyncio.gather(read_written(paths, state), _import_ahead())
        report(written, sys.stderr)
        require_usable(written, paths)
        with closing(bind_admin(options.admin, written.config_set)) as admin:
            await _run(written, state, admin, options, lifecycle)
    return 0


async def _import_ahead() -> None:
    """Import what the admin server needs, which takes as long as reading a few manifests."""
    await asyncio.sleep(0.01)  # the helper process is under way
    import sidecar.admin  # noqa: F401


async def _run(written: Written, state: StateFolder, admin: socket, options: Options, lifecycle: Lifecycle) -> None:
    """Open the listeners, start the rest, and stop it all when it is time."""
    address = Address(*admin.getsockname()[:2])
    own_state = options.state != default_state(os.environ, os.getuid())
    announcer = Announcer(sys.stdout)
    node = Assembly(written, state)
    to_try = partial(commands_to_try, admin=address, own_state=own_state)
    progress = Progress(node.running, announcer, to_try, lifecycle.began)
    try:
        await node.start_data_plane()
        refuse_taken(node.running.doors(), written.config_set)
    except BaseException:
        await node.stop()
        raise
    state.announce_admin(str(address))
    await _serve(node, admin, progress, lifecycle.stop)
    announcer.stopped()


async def _serve(node: Assembly, admin: socket, progress: Progress, stop: asyncio.Event) -> None:
    """Start replicas and the admin server, tell how it goes, wait for `stop`, and stop in order.

    If something that runs beside fails, which is a fault of ours, it is stopped in the same order.
    """
    from sidecar.admin import AdminServer

    server = AdminServer(node.answers(), node.metrics)
    async with asyncio.TaskGroup() as beside:
        publishing = beside.create_task(node.publisher.run())
        telling = beside.create_task(progress.tell())
        try:
            await node.start_platform()
            await server.start(admin)
            await stop.wait()
        finally:
            telling.cancel()
            await node.stop()
            publishing.cancel()
            await server.close()
