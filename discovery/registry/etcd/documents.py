"""Manifests in etcd: one key each, ``PREFIX documents/KIND/NAMESPACE/NAME``; what changes together goes together."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Iterable, Sequence
from typing import Final

from discovery.registry.documents import Document, DocumentKey
from discovery.registry.etcd.client import Etcd, Json, pages, text
from discovery.registry.store import StoreError

PAGE: Final = 200
"""Keys that are listed at once."""
GROUP: Final = 64
"""Writes in one of the groups into which more are put; etcd takes 128 at once."""


class EtcdDocuments:
    """The manifests beneath `prefix`."""

    def __init__(self, etcd: Etcd, prefix: bytes) -> None:
        self._etcd = etcd
        self._prefix = prefix + b"documents/"
        self._stirred = asyncio.Event()

    def see(self, events: Iterable[Json]) -> None:
        """This happened in etcd, whoever did it."""
        if any(b64decode(event["kv"]["key"]).startswith(self._prefix) for event in events):
            self._stirred.set()

    def missed(self) -> None:
        """Nobody knows what happened."""
        self._stirred.set()

    async def changed(self) -> None:
        """Wait until they may be others than when this returned last."""
        await self._stirred.wait()
        self._stirred.clear()

    async def load(self) -> Sequence[Document]:
        """All of them, in the order of their keys.  Raises `StoreError`."""
        found = [
            _document(b64decode(kv["key"])[len(self._prefix) :], b64decode(kv.get("value", "")))
            async for page in pages(self._etcd, self._prefix, PAGE)
            for kv in page.get("kvs", ())
        ]
        return sorted(found, key=lambda document: document.key)

    async def write(self, put: Iterable[Document], gone: Iterable[DocumentKey]) -> None:
        """Change them, all or nothing.  Raises `StoreError`."""
        latest = {each.key: each for each in put}
        writes: list[Json] = [{"request_delete_range": {"key": self._key(key)}} for key in set(gone) - latest.keys()]
        for key, document in latest.items():
            value = document.source.encode() + b"\0" + document.body
            writes.append({"request_put": {"key": self._key(key), "value": text(value)}})
        if writes:
            await self._etcd.call("kv/txn", {"success": grouped(writes)})

    def _key(self, key: DocumentKey) -> str:
        return text(self._prefix + "/".join(key).encode())


def grouped(writes: list[Json]) -> list[Json]:
    """Writes of one transaction, in groups where they are too many."""
    if len(writes) <= GROUP:
        return writes
    groups = (writes[at : at + GROUP] for at in range(0, len(writes), GROUP))
    return [{"request_txn": {"success": group}} for group in groups]


def _document(key: bytes, value: bytes) -> Document:
    source, end, body = value.partition(b"\0")
    try:
        kind, namespace, name = key.decode().split("/")
        if not end:
            raise ValueError
        return Document(DocumentKey(kind, namespace, name), source.decode(), body)
    except ValueError:
        raise StoreError(f"etcd: {key!r} is no manifest of weft's") from None
