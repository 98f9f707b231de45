"""Manifests that the registry keeps for all nodes, beside its zones: what they are, and how SQLite holds them.

The registry does not read them; whoever stores some has judged them as a whole, and stores all of a change or nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol


class DocumentKey(NamedTuple):
    kind: str
    namespace: str
    """Empty for kinds that have none."""
    name: str


class Document(NamedTuple):
    key: DocumentKey
    source: str
    """Where it was written: ``FILE:LINE:COL``."""
    body: bytes
    """JSON."""


class Documents(Protocol):
    """SQLite, or etcd."""

    async def documents(self) -> Sequence[Document]:
        """All of them, in the order of their keys.  Raises `StoreError`."""

    async def store_documents(self, put: Iterable[Document], gone: Iterable[DocumentKey]) -> None:
        """Keep these in place of those with their keys, and forget those that are `gone`: all or nothing, for good.

        Raises `StoreError`.
        """

    async def documents_changed(self) -> None:
        """Wait until somebody else may have changed them since this returned last."""


TABLE: Final = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID
"""


def load(database: sqlite3.Connection) -> list[Document]:
    """All documents in `database`, which has the `TABLE`; raises sqlite3.Error."""
    rows = database.execute("SELECT kind, namespace, name, source, body FROM documents ORDER BY 1, 2, 3")
    return [Document(DocumentKey(kind, namespace, name), source, body) for kind, namespace, name, source, body in rows]


def write(database: sqlite3.Connection, put: Iterable[Document], gone: Iterable[DocumentKey]) -> None:
    """Change them in one transaction of its own; raises sqlite3.Error."""
    database.execute("BEGIN IMMEDIATE")
    try:
        database.executemany("DELETE FROM documents WHERE kind = ? AND namespace = ? AND name = ?", gone)
        database.executemany(
            "INSERT OR REPLACE INTO documents (kind, namespace, name, source, body) VALUES (?, ?, ?, ?, ?)",
            ((*key, source, body) for key, source, body in put),
        )
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the first error is the one to be told
            database.execute("ROLLBACK")
        raise
