"""Records of Deployments in the state folder: read once, written behind, one at a time and the latest only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from config.meta import Named
from discovery.assignments import replace_whole
from discovery.workloads.history import Record, encode_record, file_of, load_record

log = logging.getLogger("weft.deployment")


class Keeping:
    """Whoever makes one awaits `close`.  Use from the event loop's thread."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` is made when there is something to keep; None: nothing is kept."""
        self._folder = folder
        self._waiting: dict[Named, Record | None] = {}
        """What is not written yet, or not wholly."""
        self._task: asyncio.Task[None] | None = None

    def load(self, name: Named) -> Record:
        """What is kept of a Deployment; empty where nothing is, or nothing that can be read."""
        if self._folder is None or name in self._waiting:
            return self._waiting.get(name) or Record()
        record, faults = load_record(file_of(self._folder, name))
        for fault in faults:
            log.warning("history is lost", extra={"reason": str(fault)})
        return record

    def keep(self, name: Named, record: Record | None) -> None:
        """Have `record` written soon; None: it is to be gone."""
        if self._folder is None:
            return
        self._waiting[name] = record
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write(self._folder))

    async def retain(self, names: Collection[Named]) -> None:
        """Forget what is kept of all but `names`: they went while nobody looked."""
        if self._folder is not None:
            await asyncio.to_thread(_remove_others, self._folder, {file_of(self._folder, name) for name in names})

    async def close(self) -> None:
        """Returns when all is written."""
        if self._task is not None:
            await self._task

    async def _write(self, folder: Path) -> None:
        try:
            while self._waiting:
                name = next(iter(self._waiting))
                record = self._waiting[name]
                content = None if record is None else encode_record(record)
                await asyncio.to_thread(_put, file_of(folder, name), content)
                if self._waiting[name] is record:
                    del self._waiting[name]
        except OSError as error:
            self._waiting.clear()
            log.error("history cannot be kept", extra={"reason": error.strerror})
        finally:
            self._task = None


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        with suppress(FileNotFoundError):
            path.unlink()
    else:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        replace_whole(path, content)


def _remove_others(folder: Path, kept: Collection[Path]) -> None:
    try:
        for path in folder.glob("*.json"):
            if path not in kept:
                path.unlink()
    except OSError as error:
        log.error("history of Deployments that are gone cannot be removed", extra={"reason": error.strerror})
