"""Sessions with an engine, one after the other, however often it goes away and comes back."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from random import Random
from typing import Final, Generic, TypeVar

from discovery.backoff import Backoff, BackoffPolicy
from discovery.cancellation import end_if_cancelled
from discovery.platforms.docker.engine import Connection, EngineError

RECONNECTS: Final = BackoffPolicy(first=0.1, ceiling=10, jitter=0.5, forget_after=10)
"""What answers and goes away at once is as bad as what does not answer: only a session that lasts starts anew."""

C = TypeVar("C", bound=Connection)


class Sessions(ABC, Generic[C]):
    """Needs a task of the caller for `run`."""

    def __init__(self, connect: Callable[[], C], random: Random, reconnects: BackoffPolicy) -> None:
        self._connect = connect
        self._backoff = Backoff(reconnects, random)

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            try:
                await self._whole_session()
            except* EngineError as errors:
                self._lost(str(errors.exceptions[0]))
            end_if_cancelled()
            await asyncio.sleep(self._backoff.failed(clock()))

    async def _whole_session(self) -> None:
        connection = self._connect()
        try:
            await self._session(connection)
        finally:
            await connection.close()

    @abstractmethod
    async def _session(self, connection: C) -> None:
        """All that one connection is for; its end raises EngineError."""

    @abstractmethod
    def _lost(self, reason: str) -> None:
        """A session ended."""
