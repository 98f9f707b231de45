"""The second half of ``weft up``: the listeners open, everything else starts, and in the end stops.

Nothing here is imported before the manifests are being read (see `sidecar.up`), and what only the admin server
needs, a third of all, not before the first replicas are on their way up: they take as long.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, NamedTuple, Protocol

from config.changes import Changes
from sidecar.announcer import Announcer, commands_to_try
from sidecar.assembly import Assembly
from sidecar.autoscaling import Autoscaling
from sidecar.bearer import new_token
from sidecar.dns import NodeDNS
from sidecar.documents import Answer, Question, Stream, Write
from sidecar.lifecycle import Lifecycle
from sidecar.options import Address, Options, default_state
from sidecar.progress import Progress
from sidecar.reload import Reloader
from sidecar.roles import NODE, REGISTRY, UP, Role
from sidecar.standing import Standing
from sidecar.state import StateFolder
from sidecar.taken import bind_admin, refuse_taken
from sidecar.written import Manifests, Written, report

if TYPE_CHECKING:
    from sidecar.admin import AdminServer
    from sidecar.channel.ends import End

TURNS = 100
"""Of the event loop: in as many the first replicas are started."""


class Process(Protocol):
    """Parts that were made, and are started and stopped in the order in which the methods stand here."""

    @property
    def running(self) -> Standing:
        """What it knows of itself."""

    @property
    def dns(self) -> NodeDNS:
        """Its DNS server."""

    @property
    def autoscaling(self) -> Autoscaling | None:
        """Who scales; None: nobody here."""

    async def start(self) -> None:
        """Open what others dial.  Raises UserError for what the user can put right."""

    async def run_beside(self) -> None:
        """What runs until the end of `stop`, until cancelled."""

    async def start_platform(self) -> None:
        """Start what this process runs."""

    async def reload(self, written: Written) -> None:
        """Put in force what is written now."""

    async def drain(self, delay: float) -> None:
        """Say that the end is near, and go on for `delay` seconds."""

    async def stop(self) -> None:
        """Finish, within bounds."""

    def answers(self) -> Mapping[str, Answer]:
        """What the admin server says, by path."""

    def questions(self) -> Mapping[str, Question]:
        """What the admin server is asked, by path."""

    def streams(self) -> Mapping[str, Stream]:
        """What the admin server tells as it happens, by path."""

    def writes(self) -> Mapping[str, Write]:
        """What is changed through the admin server, by path."""

    def metrics(self) -> Iterator[bytes]:
        """The page of /metrics, in slices."""


async def serve(
    written: Written,
    manifests: Manifests,
    state: StateFolder,
    options: Options,
    lifecycle: Lifecycle,
    *,
    role: Role = UP,
) -> None:
    """Run until `lifecycle` ends.  Raises UserError for an address that is taken."""
    with closing(bind_admin(options.admin, written.config_set)) as admin:
        address = Address(*admin.getsockname()[:2])
        node = make(role, written, state, lifecycle)
        if role.dry_run and node.autoscaling is not None:
            node.autoscaling.only_watch()
        own_state = options.state != default_state(os.environ, os.getuid())
        to_try = partial(commands_to_try, admin=address, own_state=own_state)
        announcer = Announcer(sys.stdout)
        end = _end(role, node, state, manifests)
        listening = partial(_listening, role, node, end)
        progress = Progress(node.running, announcer, to_try, lifecycle.began, listening)
        reload = node.reload if end is None else partial(_reload_all, node, end)
        tell, looked = partial(_tell, announcer), node.running.reloads.looked
        reloader = Reloader(manifests, written, reload, lifecycle.reload, tell=tell, looked=looked)
        try:
            await node.start()
            if end is not None:
                await end.start()
            refuse_taken(node.running.doors(), written.config_set)
        except BaseException:
            await node.stop()
            raise
        state.announce_admin(str(address))
        await _run(node, admin, progress, reloader, Surroundings(lifecycle.stop, end, state.path))
        progress.stopped()


def make(role: Role, written: Written, state: StateFolder, lifecycle: Lifecycle) -> Process:
    """The parts of a process with that role.  Raises UserError for what the user can put right."""
    if role.name == REGISTRY.name:
        from sidecar.registry_assembly import RegistryAssembly

        return RegistryAssembly(written, state)
    if role.beside is not None:
        from sidecar.sidecar_assembly import SidecarAssembly

        made = SidecarAssembly(written, state, role.beside, lifecycle.end)
        lifecycle.at_once.append(made.kill)
        return made
    if role.name == NODE.name:
        from sidecar.follower import Follower

        return Assembly(written, state, Follower)
    return Assembly(written, state)


def _end(role: Role, node: Process, state: StateFolder, manifests: Manifests) -> End | None:
    """The channel in this process; None: there is none.  Raises UserError."""
    options, taken = role.channel, manifests.received
    if options is None or taken is None:
        return None
    with _without_authorities():
        from sidecar.channel.ends import node_end, registry_end
    if isinstance(node, Assembly) and options.join:
        return node_end(options, node, taken, role.name)
    return registry_end(options, node, state.path, taken)


def _listening(role: Role, node: Process, end: End | None) -> Iterator[tuple[str, str]]:
    """What a registry is dialled for, and where."""
    if role.name == REGISTRY.name:
        yield "DNS", str(node.dns.served)
    if end is not None and end.peers:
        yield "nodes (--peers)", end.peers


async def _reload_all(node: Process, end: End, written: Written) -> None:
    await node.reload(written)
    if written.read:  # otherwise what came by the channel is in force no more than before
        end.in_force()


class Surroundings(NamedTuple):
    """What else belongs to a run."""

    stop: asyncio.Event
    end: End | None
    state: Path


async def _run(node: Process, admin: socket, progress: Progress, reloader: Reloader, more: Surroundings) -> None:
    """Start replicas and the admin server, follow the manifests, wait for `stop`, and stop in order.

    If something that runs beside fails, which is a fault of ours, it is stopped in the same order.
    """
    server: AdminServer | None = None
    async with asyncio.TaskGroup() as beside:
        working = beside.create_task(node.run_beside())
        watching: list[asyncio.Task[None]] = []
        connecting: list[asyncio.Task[None]] = []
        try:
            await node.start_platform()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            server = _admin_server(node, more)
            await server.start(admin)
            if more.end is not None:
                connecting.append(beside.create_task(more.end.run()))
            following = beside.create_task(reloader.run())
            watching += [following, beside.create_task(progress.tell())]
            await more.stop.wait()
            following.cancel()
            await node.drain(node.running.config_set.node.drain_delay or 0.0)
        finally:
            for task in watching:
                task.cancel()
            await node.stop()
            for task in (working, *connecting):
                task.cancel()
            if more.end is not None:
                await more.end.close()
            if server is not None:
                await server.close()


def _admin_server(node: Process, more: Surroundings) -> AdminServer:
    """Makes it, and imports all that it needs, which holds the loop: nothing is ready, and replicas need a while."""
    with _without_authorities():
        from sidecar.admin import AdminServer

        import_module("discovery.metrics")  # now, for the first scrape comes when there is traffic
    answers, writes = {**node.answers()}, {**node.writes()}
    if more.end is not None:
        answers |= more.end.answers()
        writes |= more.end.writes()
    token = new_token(more.state) if writes else ""
    return AdminServer(answers, node.metrics, node.questions(), node.streams(), writes=writes, token=token)


@contextmanager
def _without_authorities() -> Iterator[None]:
    """Where aiohttp is imported.

    It fills a TLS context with every certificate authority of the machine when it is imported, which is
    for a client that is not used here and takes as long as everything else: so it is shown none.
    """
    authorities = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
    before = {name: os.environ.get(name) for name in authorities}
    os.environ.update(authorities)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _tell(announcer: Announcer, written: Written, changes: Changes) -> None:
    """Tell what came of a reload: what was wrong as at the start, and what changed."""
    report(written, sys.stderr)
    announcer.reloaded(str(changes), written.errors)
