from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from discovery.backoff import Backoff, BackoffPolicy
from discovery.platforms.docker.engine import Connection
from discovery.platforms.docker.sessions import RECONNECTS, Sessions
from tests.discovery.platforms.docker.running import until


class Failing(Sessions[Connection]):
    """Each session ends by one of a group's tasks."""

    def __init__(self, host: str) -> None:
        self.closed = 0
        self.reasons: list[str] = []
        super().__init__(lambda: Counted(host, self), Random(1), BackoffPolicy(first=0.001, ceiling=0.001))

    async def _session(self, connection: Connection) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(connection.networks())
            await asyncio.sleep(60)

    def _lost(self, reason: str) -> None:
        self.reasons.append(reason)


class Counted(Connection):
    def __init__(self, host: str, of: Failing) -> None:
        super().__init__(host)
        self._of = of

    async def close(self) -> None:
        self._of.closed += 1
        await super().close()


async def test_each_session_has_a_connection_of_its_own_which_is_closed(tmp_path: Path) -> None:
    sessions = Failing(f"unix://{tmp_path}/none")
    running = asyncio.create_task(sessions.run())
    await until(lambda: len(sessions.reasons) == 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    assert sessions.closed == len(sessions.reasons)
    assert sessions.reasons[0] == f"there is no socket {tmp_path}/none"


def test_only_a_session_that_lasts_makes_the_next_attempt_a_quick_one() -> None:
    backoff, delay, now = Backoff(RECONNECTS, Random(1)), 0.0, 0.0
    for _ in range(12):
        now += delay
        delay = backoff.failed(now)
    assert 5 <= delay <= 10
    assert backoff.failed(now + delay + 60) <= 0.1
