"""The connection to a Docker Engine: all I/O of this platform, through aiodocker (Engine API 1.41 and later).

Nothing of the library's gets out of here: answers are plain mappings, failures are `EngineError`, and nothing waits
longer than `ANSWER_SECONDS`, except for events.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final

import aiodocker
import aiohttp

from discovery.platforms.docker.condition import ACTIONS, Event

ANSWER_SECONDS: Final = 10.0
_FILTERS: Final = json.dumps({"type": ["container", "network"], "event": list(ACTIONS)})


class EngineError(Exception):
    """The engine is not there, does not answer, or refuses; says why in words for the user."""


class NotThere(EngineError):
    """There is no such container."""


class Connection:
    """A client of one engine; `close` is owed.  Needs a running event loop."""

    def __init__(self, host: str) -> None:
        """`host`: a URL as in DOCKER_HOST.  Raises EngineError for one that is none."""
        try:
            self._docker: Any = aiodocker.Docker(url=host, timeout=aiohttp.ClientTimeout(sock_connect=ANSWER_SECONDS))
        except (ValueError, OSError) as error:
            raise EngineError(f"{host} is no address of an engine: {error}") from None

    async def close(self) -> None:
        await self._docker.close()

    async def now(self) -> str:
        """The engine's own time, for `follow`."""
        async with _bounded():
            return f"{datetime.fromisoformat((await self._docker.system.info())['SystemTime']).timestamp():.6f}"

    async def containers(self, *, everything: bool = False) -> dict[str, dict[str, str]]:
        """Labels of all containers that run (`everything`: or do not), by id."""
        async with _bounded():
            listed = await self._docker.containers.list(all=int(everything))
        return {each.id: each["Labels"] or {} for each in listed}

    async def networks(self) -> dict[str, str]:
        """Drivers by name."""
        async with _bounded():
            return {each["Name"]: each["Driver"] for each in await self._docker.networks.list()}

    async def inspect(self, container: str) -> Mapping[str, Any]:
        """What the engine knows of a container; raises NotThere."""
        async with _bounded():
            answer: Mapping[str, Any] = await self._docker.containers.container(container).show()
            return answer

    async def follow(self, since: str, take: Callable[[Event], None]) -> None:
        """Give `take` each event from `since` on; returns when the engine ends that."""
        events = self._docker.events
        heard = events.subscribe(create_task=False)
        hearing = asyncio.get_running_loop().create_task(events.run(since=since, filters=_FILTERS))
        try:
            while (told := await heard.get()) is not None:
                for event in _events(told):
                    take(event)
            async with _bounded():
                await hearing
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await hearing


def _events(told: Mapping[str, Any]) -> Iterable[Event]:
    kind, actor = told.get("Type"), told.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    if kind == "container":
        yield Event("container", told["Action"], actor["ID"], attributes)
    elif kind == "network" and "container" in attributes:
        yield Event("network", told["Action"], attributes["container"], attributes)


@asynccontextmanager
async def _bounded() -> AsyncIterator[None]:
    """Have all that may go wrong between here and the engine be an EngineError."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except TimeoutError:
        raise EngineError(f"no answer within {ANSWER_SECONDS:g} s") from None
    except aiodocker.DockerError as error:
        raise (NotThere if error.status == 404 else EngineError)(str(error.message)) from None
    except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
        raise EngineError(f"{type(error).__name__}: {error}") from None
