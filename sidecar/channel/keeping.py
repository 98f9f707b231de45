"""The manifests in the registry's store: judged before they are accepted, stored, and then distributed.

One change at a time.  A change is judged in a helper process (`judge`), since parsing would hold the loop; it is
stored as a whole, and only what is stored is distributed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from config.aside import load_aside
from config.configset import API_VERSIONS, ConfigSet, Loaded
from config.encode import encode
from config.errors import Fault
from config.meta import ObjectKey, Source
from discovery.registry.documents import Document, DocumentKey, Documents
from discovery.registry.store import StoreError
from mesh.steps import run_in_slices
from sidecar.channel.credentials import FOLDER
from sidecar.channel.messages import Manifest
from sidecar.channel.proposal import Proposal
from sidecar.channel.received import FILE as RECEIVED
from sidecar.channel.shelf import Shelf
from sidecar.state import FOUND

RETRY_SECONDS: Final = 1.0
MOST_OBJECTS: Final = 20_000
MOST_BYTES: Final = 16 << 20
"""Of the files of one change."""
FILE: Final = "proposed.msgpack"
JUDGE: Final = "sidecar.channel.judge"

log = logging.getLogger(__name__)

What = Literal["created", "configured", "unchanged", "deleted", "not stored"]


class Change(NamedTuple):
    key: ObjectKey
    what: What


class Outcome(NamedTuple):
    """What came of a wish; nothing is changed where an error is among the faults."""

    changes: tuple[Change, ...]
    faults: tuple[Fault, ...]

    @property
    def refused(self) -> bool:
        return any(fault.severity == "error" for fault in self.faults)


class Keeping:
    """The stored manifests, from `open` on."""

    def __init__(self, documents: Documents, shelf: Shelf, state: Path, config_set: Callable[[], ConfigSet]) -> None:
        """`config_set`: what the registry itself has in force, for its NodeConfig."""
        self._documents = documents
        self._shelf = shelf
        self._folder = state / FOLDER
        self._elsewhere = frozenset({str(state.resolve() / FOLDER / RECEIVED), str(state.resolve() / FOUND)})
        """Files that are not the registry's own."""
        self._config_set = config_set
        self._one = asyncio.Lock()
        self.stored: dict[ObjectKey, Document] = {}

    async def open(self) -> None:
        """Distribute what is stored.  Raises `StoreError`."""
        self.stored = {ObjectKey(*each.key): each for each in await self._documents.documents()}
        self._shelf.change(map(_manifest, self.stored.values()))

    async def follow(self) -> None:
        """Take what other registries store, until cancelled."""
        failed = False
        while True:
            if failed:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                await self._documents.documents_changed()
            try:
                await self._renew()
                failed = False
            except StoreError as error:
                if not failed:
                    log.warning("what other registries store is not known: %s", error)
                failed = True

    async def _renew(self) -> None:
        async with self._one:
            found = {ObjectKey(*each.key): each for each in await self._documents.documents()}
            put = [each for key, each in found.items() if self.stored.get(key) != each]
            gone = self.stored.keys() - found.keys()
            self.stored = found
            if put or gone:
                self._shelf.change(map(_manifest, put), gone)

    async def apply(self, files: Sequence[tuple[str, str]], *, dry_run: bool = False) -> Outcome:
        """Store the objects of `files` (names and texts), if there is no error.  Raises `StoreError`, OSError."""
        async with self._one:
            loaded = await self._judged(files, ())
            new = {key: _document(key, loaded) for key in loaded.config_set.sources}
            changes = tuple(Change(key, self._what(document)) for key, document in new.items())
            outcome = Outcome(changes, loaded.faults)
            if not outcome.refused and not dry_run:
                await self._store([new[key] for key, what in changes if what != "unchanged"], ())
            return outcome

    async def delete(self, keys: Sequence[ObjectKey], *, dry_run: bool = False) -> Outcome:
        """Store those no longer that are.  What others lack then is only warned of.  Raises as `apply`."""
        async with self._one:
            gone = [key for key in dict.fromkeys(keys) if key in self.stored]
            loaded = await self._judged((), gone) if gone else Loaded(ConfigSet(), ())
            faults = tuple(msgspec.structs.replace(fault, severity="warning") for fault in loaded.faults)
            if not dry_run:
                await self._store((), gone)
            changes = (Change(key, "deleted" if key in gone else "not stored") for key in dict.fromkeys(keys))
            return Outcome(tuple(changes), faults)

    async def _judged(self, files: Sequence[tuple[str, str]], gone: Sequence[ObjectKey]) -> Loaded:
        stored = [(key, each.body.decode()) for key, each in self.stored.items()]
        config_set = self._config_set()
        own = await run_in_slices(self._own(config_set))
        proposal = msgspec.msgpack.encode(Proposal(_node(config_set), stored, list(files), list(gone), own))
        path = self._folder / FILE
        try:
            await asyncio.to_thread(_write, path, proposal)
            return await load_aside([path], config_set, reader=JUDGE)
        finally:
            path.unlink(missing_ok=True)

    def _own(self, config_set: ConfigSet) -> Generator[None, None, list[tuple[ObjectKey, Source, str]]]:
        """The Services of the registry's own files."""
        found = []
        for named in config_set.services:
            key = ObjectKey("Service", *named)
            source = config_set.sources[key]
            if source.file not in self._elsewhere:
                found.append((key, source, _text(key, config_set)))
            yield
        return found

    def _what(self, document: Document) -> What:
        before = self.stored.get(ObjectKey(*document.key))
        if before is None:
            return "created"
        return "unchanged" if before.body == document.body else "configured"

    async def _store(self, put: Sequence[Document], gone: Sequence[ObjectKey]) -> None:
        if not put and not gone:
            return
        await self._documents.store_documents(put, [DocumentKey(*key) for key in gone])
        for key in gone:
            self.stored.pop(key, None)
        self.stored.update((ObjectKey(*each.key), each) for each in put)
        self._shelf.change(map(_manifest, put), gone)


def _document(key: ObjectKey, loaded: Loaded) -> Document:
    plain = {"apiVersion": API_VERSIONS[key.kind], "kind": key.kind, **encode(loaded.config_set.get(key))}
    return Document(DocumentKey(*key), str(loaded.config_set.sources[key]), msgspec.json.encode(plain))


def _manifest(document: Document) -> Manifest:
    return Manifest(*document.key, document.source, msgspec.Raw(document.body))


def _node(config_set: ConfigSet) -> str:
    """The NodeConfig as text; empty: there is none."""
    key = next((key for key in config_set.sources if key.kind == "NodeConfig"), None)
    if key is None:
        return ""
    return _text(key, config_set)


def _text(key: ObjectKey, config_set: ConfigSet) -> str:
    plain = {"apiVersion": API_VERSIONS[key.kind], "kind": key.kind, **encode(config_set.get(key))}
    return msgspec.json.encode(plain).decode()


def _write(path: Path, content: bytes) -> None:
    """For the owner alone: there may be Secrets in it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
