"""The channel in a registry: the server, the stored manifests, and what this process itself takes of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from socket import socket
from typing import Final, Protocol

from config.configset import ConfigSet
from discovery.registry.documents import Document, DocumentKey, Documents
from discovery.registry.store import StoreError
from sidecar.autoscaling import Autoscaling
from sidecar.channel.administration import Administration
from sidecar.channel.carrying import Carrying
from sidecar.channel.certificate import certificate
from sidecar.channel.credentials import Credentials
from sidecar.channel.found import Found
from sidecar.channel.keeping import Keeping
from sidecar.channel.messages import MOST_RUNS, Manifests
from sidecar.channel.nodes import Nodes
from sidecar.channel.own_traffic import OwnTraffic
from sidecar.channel.received import Received
from sidecar.channel.scaled import NodesSource, places
from sidecar.channel.scaling import ref_of
from sidecar.channel.server import ChannelServer
from sidecar.channel.shelf import Shelf
from sidecar.channel.telling import Telling
from sidecar.documents import Answer, Write
from sidecar.errors import UserError
from sidecar.options import Address

LOOK_SECONDS: Final = 0.5
"""How often it is looked which Deployments are scaled, and by whom."""


class Zones(Protocol):
    """What the registry's zones say."""

    @property
    def documents(self) -> Documents | None:
        """Where manifests are kept; None: nowhere."""

    def serial(self) -> int:
        """Of endpoints.Z."""

    def node_names(self) -> list[str]:
        """Who has a live lease in nodes.Z."""

    def standby(self) -> str:
        """Why another registry does what only one is to do; empty: this one does."""

    def last_for(self, name: str) -> int | None:
        """The last serial that such a node is told of; None: it is told of each."""


class Kept:
    """The documents of `zones`, which are there once these are open."""

    def __init__(self, zones: Zones) -> None:
        self._zones = zones

    async def documents(self) -> Sequence[Document]:
        there = self._zones.documents
        return () if there is None else await there.documents()

    async def store_documents(self, put: Iterable[Document], gone: Iterable[DocumentKey]) -> None:
        there = self._zones.documents
        if there is None:
            raise StoreError("this registry's store keeps no manifests yet, only its zones")
        await there.store_documents(put, gone)

    async def documents_changed(self) -> None:
        there = self._zones.documents
        assert there is not None, "it is followed once the zones are open"
        await there.documents_changed()


class RegistryEnd:
    """From `start` to `close`; `run` belongs to a task of the caller."""

    def __init__(
        self,
        sock: socket,
        state: Path,
        zones: Zones,
        received: Received,
        config_set: Callable[[], ConfigSet],
        *,
        autoscaling: Autoscaling | None = None,
    ) -> None:
        """`sock`: bound already; `received`: takes what is stored; `autoscaling`: scales what nodes run.

        Raises UserError for a bad certificate.
        """
        self._sock = sock
        self._context = certificate(state).context()
        self._received = received
        self._shelf = Shelf(int(time.time()))
        self._found = Found(state, self._shelf)
        credentials = Credentials(state)
        self.nodes = Nodes(
            zones.node_names, time.monotonic, lambda name: name in credentials.nodes(), last_for=zones.last_for
        )
        self._keeping = Keeping(Kept(zones), self._shelf, state, config_set)
        self._server = ChannelServer(credentials, self._shelf, self.nodes, zones.serial)
        self._administration = Administration(self._keeping, self.nodes, zones.serial, self._shelf)
        self._shelf.followers.append(self._take)
        self._zones = zones
        self._own: OwnTraffic | None = None
        self._generation: Callable[[], int] = int
        self._autoscaling = autoscaling
        self._config_set = config_set
        self._waiting: dict[str, None] = {}
        self._called = asyncio.Event()
        self._began_with = self._shelf.generation
        """What was stored at the start."""
        self._knows_all = False
        """All of that is in force."""
        self.nodes.wake = self._wake
        if autoscaling is not None:
            autoscaling.attach(lambda: places(self.nodes), lambda: NodesSource(self.nodes))

    async def start(self) -> None:
        """Distribute what is stored.  Raises UserError if that cannot be read."""
        try:
            await self._keeping.open()
        except StoreError as error:
            raise UserError(str(error)) from None
        self._began_with = self._shelf.generation
        self._found.put_in_force(self._config_set(), self._keeping.stored)
        await self._server.start(self._sock, self._context)
        if self._own is not None:
            self._own.start(self._zones.serial(), self._generation())

    async def run(self) -> None:
        """Have what is stored in force here too, and nodes know what is scaled, until cancelled."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._received.run())
            beside.create_task(self._keeping.follow())
            beside.create_task(self._stand())
            if self._autoscaling is not None:
                beside.create_task(self._tell_of(self._autoscaling))
                beside.create_task(self._wake_on(self._autoscaling))

    async def close(self) -> None:
        """End all connections."""
        if self._own is not None:
            await self._own.close()
        await self._server.close()
        self._sock.close()

    async def _stand(self) -> None:
        """Have nodes turn to the registry that acts."""
        while True:
            self.nodes.stand(self._zones.standby())
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell_of(self, autoscaling: Autoscaling) -> None:
        """Have nodes know which Deployments are scaled, the last ones also after it has stopped."""
        telling = Telling(autoscaling, self.nodes, self._config_set)
        while not autoscaling.stopped:
            standby = self._zones.standby()
            await telling.look(standby, incomplete=not self._knows_all or bool(standby))
            await asyncio.sleep(LOOK_SECONDS)

    def _wake(self, name: str) -> None:
        if len(self._waiting) < MOST_RUNS:
            self._waiting[name] = None
            self._called.set()

    async def _wake_on(self, autoscaling: Autoscaling) -> None:
        """Wake what nodes say that requests wait for."""
        while True:
            await self._called.wait()
            self._called.clear()
            waiting, self._waiting = self._waiting, {}
            for name in waiting:
                await autoscaling.wake(ref_of(name))

    @property
    def peers(self) -> str:
        """HOST:PORT where nodes connect."""
        return str(Address(*self._sock.getsockname()[:2]))

    def answers(self) -> dict[str, Answer]:
        """What the admin server says, by path."""
        return {"/api/v1/nodes": self._administration.nodes, "/api/v1/manifests": self._administration.stored}

    def writes(self) -> Mapping[str, Write]:
        """What may be written through the admin server, by path."""
        return {"/api/v1/manifests": self._administration.write}

    def in_force(self) -> None:
        """What was read last is in force, and of what was received, too."""
        self._found.put_in_force(self._config_set(), self._keeping.stored)
        self._received.in_force()
        self._knows_all = self._knows_all or self._received.read >= self._began_with
        if self._own is not None:
            self._own.in_force(manifests=self._received.read)

    def carries(self, name: str, role: str, in_flight: Callable[[str], int], generation: Callable[[], int]) -> Carrying:
        """Have this process be waited for like a node; what is returned is to be told of copies and tables.

        `name`: of the node that it is on; `generation`: of the catalog, now.
        """
        self._own, self._generation = OwnTraffic(self.nodes, f"{name} (weft {role})", role, in_flight), generation
        return self._own.carrying

    def _take(self) -> None:
        stored, found = self._shelf.stored, self._found.told
        everything = [each.manifest for key, each in stored.items() if key not in found]
        self._received.take(Manifests(self._shelf.generation, everything, whole=True))
