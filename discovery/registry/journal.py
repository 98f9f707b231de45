"""The store on SQLite: the written zones (`rows`), and a journal of every change with its serial (RFC 1982).

Names and journal change in one transaction, in WAL mode with ``synchronous=FULL``: what a commit has returned for is
on the disk.  The journal is the history that IXFR hands on, and is compacted by size and age.  SQLite's calls wait
for the disk, so they run in one thread of their own, which holds the interpreter only to hand rows over.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from discovery.registry import documents, rows
from discovery.registry.content import SERIALS
from discovery.registry.documents import Document, DocumentKey
from discovery.registry.store import Alone, Commit, Past, Stored, StoreError, pack, unpack

T = TypeVar("T")

FORMAT: Final = 2
"""Of the tables below; a file that says another number is not touched."""
MOST_BYTES: Final = 32 << 20
"""Of changes that the journal keeps."""
LONGEST_SECONDS: Final = 7 * 24 * 3600.0
COMPACT_EVERY: Final = 256
"""Commits between two looks at the journal's size and age."""

TABLES: Final = """
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT, origin BLOB NOT NULL, before INTEGER NOT NULL, serial INTEGER NOT NULL,
    at REAL NOT NULL, change BLOB NOT NULL
);
CREATE INDEX journal_before ON journal (origin, before);
"""


class Journal(Alone):
    """A store in the file `path`, made when it is not there."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time, busy_seconds: float = 5.0) -> None:
        """`clock`: Unix time, for the age of what is kept; `busy_seconds`: how long another user is waited for."""
        super().__init__()
        self._path = path
        self._busy_seconds = busy_seconds
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "weft-journal")
        self._database: sqlite3.Connection | None = None
        self._commits = 0
        self._closed = False

    async def open(self, origins: Sequence[bytes]) -> Mapping[bytes, Stored]:
        """Begin.  Raises `StoreError` for a file that is none of ours, damaged, or in use."""
        return await self._run(lambda: self._open(origins))

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Keep all of these in one transaction.  Raises `StoreError`."""
        await self._run(lambda: self._commit(commits))
        self.tell(commits)

    async def history(self, origin: bytes, since: int) -> Sequence[Past] | None:
        """What happened after `since`, None if that is not known any more.  Raises `StoreError`."""
        return await self._run(lambda: self._history(origin, since))

    def standby(self) -> str:
        """Nobody shares it, so nobody else acts."""
        return ""

    async def documents(self) -> Sequence[Document]:
        """The manifests that are kept.  Raises `StoreError`."""
        return await self._run(lambda: documents.load(self._open_database))

    async def store_documents(self, put: Iterable[Document], gone: Iterable[DocumentKey]) -> None:
        """Change them, all or nothing.  Raises `StoreError`."""
        put, gone = tuple(put), tuple(gone)
        await self._run(lambda: documents.write(self._open_database, put, gone))

    async def documents_changed(self) -> None:
        """Nobody else changes them: this waits until it is cancelled."""
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Close the file, with all of its log in it; once more does nothing."""
        if not self._closed:
            self._closed = True
            with suppress(StoreError):
                await self._run(self._close)
            self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        """Do `work` in the journal's thread, to its end even when the caller is cancelled."""
        try:
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))
        except sqlite3.Error as error:
            raise StoreError(f"the registry's store {self._path}: {error}") from None

    @property
    def _open_database(self) -> sqlite3.Connection:
        if self._database is None:
            raise StoreError(f"the registry's store {self._path} is not open")
        return self._database

    def _open(self, origins: Sequence[bytes]) -> dict[bytes, Stored]:
        database = sqlite3.connect(self._path, self._busy_seconds, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(database)
            found = {origin: rows.load(database, origin) for origin in origins}
        except ValueError as error:
            database.close()
            raise StoreError(f"the registry's store {self._path} is damaged: {error}") from None
        except BaseException:
            database.close()
            raise
        self._database = database
        return found

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("BEGIN IMMEDIATE")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in f"{rows.TABLES}{TABLES}".split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version={FORMAT}")
        if version in {0, FORMAT}:
            database.execute(documents.TABLE)
        database.execute("COMMIT")
        if version not in {0, FORMAT}:
            raise StoreError(
                f"the registry's store {self._path} has format {version}, this weft reads {FORMAT}: "
                "use the weft that wrote it, or another --state folder"
            )

    def _commit(self, commits: Sequence[Commit]) -> None:
        database = self._open_database
        database.execute("BEGIN IMMEDIATE")
        try:
            for commit in commits:
                self._write(database, commit)
            self._commits += 1
            if self._commits % COMPACT_EVERY == 0:
                self._compact(database)
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # the first error is the one to be told
                database.execute("ROLLBACK")
            raise

    def _write(self, database: sqlite3.Connection, commit: Commit) -> None:
        rows.write(database, commit)
        origin, before, serial, change = commit[:4]
        if serial == before:
            return
        database.execute(
            "INSERT INTO journal (origin, before, serial, at, change) VALUES (?, ?, ?, ?, ?)",
            (origin, before, serial, self._clock(), pack(change)),
        )

    def _compact(self, database: sqlite3.Connection) -> None:
        """Forget what is too old, and the oldest of what is too much."""
        database.execute("DELETE FROM journal WHERE at < ?", (self._clock() - LONGEST_SECONDS,))
        row = database.execute(
            "SELECT id FROM (SELECT id, sum(length(change)) OVER (ORDER BY id DESC) AS size FROM journal)"
            " WHERE size > ? ORDER BY id DESC LIMIT 1",
            (MOST_BYTES,),
        ).fetchone()
        if row:
            database.execute("DELETE FROM journal WHERE id <= ?", row)

    def _history(self, origin: bytes, since: int) -> list[Past] | None:
        database = self._open_database
        if since == rows.serial_of(database, origin):
            return []
        start = database.execute(
            "SELECT id FROM journal WHERE origin = ? AND before = ? ORDER BY id DESC LIMIT 1", (origin, since % SERIALS)
        ).fetchone()
        if start is None:
            return None
        found = database.execute(
            "SELECT before, serial, change FROM journal WHERE origin = ? AND id >= ? ORDER BY id", (origin, *start)
        )
        return [Past(before, serial, unpack(change)) for before, serial, change in found]

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
