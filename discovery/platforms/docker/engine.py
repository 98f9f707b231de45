"""The connection to a Docker Engine: all I/O of this platform, through aiodocker (Engine API 1.41 and later).

Nothing of the library's gets out of here: answers are plain mappings, failures are `EngineError`, and all has a bound
but the wait for events, and a command in a container, which its caller bounds.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final

import aiodocker
import aiohttp
from aiohttp.client_exceptions import UnixClientConnectorError

from discovery.platforms.docker.condition import ACTIONS, Event

ANSWER_SECONDS: Final = 10.0
ACTION_SECONDS: Final = 60.0
"""What a busy engine may take to make, start or remove a container."""
PULL_SECONDS: Final = 600.0
LINE_LENGTH: Final = 200
_FILTERS: Final = json.dumps({"type": ["container", "network"], "event": list(ACTIONS)})


class EngineError(Exception):
    """The engine is not there, does not answer, or refuses; says why in words for the user."""


class NotThere(EngineError):
    """There is no such container, image, network or service."""


class Unreachable(EngineError):
    """Nobody answers; it says nothing about what was asked for."""


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
        async with bounded():
            return f"{datetime.fromisoformat((await self._docker.system.info())['SystemTime']).timestamp():.6f}"

    async def log_driver(self) -> str:
        """Which one containers have unless they say otherwise."""
        async with bounded():
            return str((await self._docker.system.info()).get("LoggingDriver", ""))

    async def containers(self, *, everything: bool = False) -> dict[str, dict[str, str]]:
        """Labels of all containers that run (`everything`: or do not), by id."""
        async with bounded():
            listed = await self._docker.containers.list(all=int(everything))
        return {each.id: each["Labels"] or {} for each in listed}

    async def networks(self) -> dict[str, str]:
        """Drivers by name."""
        async with bounded():
            return {each["Name"]: each["Driver"] for each in await self._docker.networks.list()}

    async def inspect(self, container: str) -> Mapping[str, Any]:
        """What the engine knows of a container; raises NotThere."""
        async with bounded():
            answer: Mapping[str, Any] = await self._docker.containers.container(container).show()
            return answer

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Make a container; its id.  It does not run yet.  Raises NotThere where its image is not there."""
        async with bounded(ACTION_SECONDS):
            return str((await self._docker.containers.create(body, name=name)).id)

    async def pull(self, image: str) -> None:
        try:
            async with bounded(PULL_SECONDS):
                await self._docker.images.pull(image)
        except EngineError as error:
            raise EngineError(f"ErrImagePull: {image}: {error}") from None

    async def start(self, container: str) -> None:
        """Have it run; nothing if it does."""
        async with bounded(ACTION_SECONDS):
            await self._docker.containers.container(container).start()

    async def stop(self, container: str, grace: float) -> None:
        """Its stop signal, `grace` seconds, then KILL; returns when it has ended, and at once if it does not run."""
        async with bounded(grace + ACTION_SECONDS):
            await self._docker.containers.container(container).stop(t=round(grace))

    async def remove(self, container: str) -> None:
        """Kill and forget it, with its anonymous volumes; nothing if it is not there."""
        with suppress(NotThere):
            async with bounded(ACTION_SECONDS):
                await self._docker.containers.container(container).delete(force=True, v=True)

    async def execute(self, container: str, argv: Sequence[str], begun: Callable[[str], None]) -> int:
        """Run a command in a container that runs; its exit code.  Bounded by the caller, which does not end it.

        `begun` is told an id for `executes`.
        """
        async with bounded(None):
            made = await self._docker.containers.container(container).exec(list(argv))
            begun(made.id)
            async with made.start(detach=False) as output:
                while await output.read_out() is not None:
                    pass
            return int((await made.inspect())["ExitCode"])

    async def executes(self, command: str) -> bool:
        """Whether a command that was run in a container still runs."""
        with suppress(NotThere):
            async with bounded():
                return bool((await self._docker.containers.exec(command).inspect())["Running"])
        return False

    async def last_line(self, container: str) -> str:
        """What it wrote last, up to a bound; empty: nothing."""
        async with bounded():
            lines = await self._docker.containers.container(container).log(stdout=True, stderr=True, tail=1)
            return str(lines[-1]).strip()[:LINE_LENGTH] if lines else ""

    async def stats(self, container: str) -> Mapping[str, Any]:
        """What it uses now (GET /containers/ID/stats)."""
        async with bounded():
            (answer,) = await self._docker.containers.container(container).stats(stream=False)
            return dict(answer)

    async def follow(self, since: str, take: Callable[[Event], None]) -> None:
        """Give `take` each event from `since` on; returns when the engine ends that."""

        def told(told: Mapping[str, Any]) -> None:
            for event in _events(told):
                take(event)

        await self.listen(since, _FILTERS, told)

    async def listen(self, since: str, filters: str, take: Callable[[Mapping[str, Any]], None]) -> None:
        """Give `take` what the engine tells of each event; `filters`: as JSON (GET /events)."""
        events = self._docker.events
        heard = events.subscribe(create_task=False)
        hearing = asyncio.get_running_loop().create_task(events.run(since=since, filters=filters))
        try:
            while (told := await heard.get()) is not None:
                take(told)
            async with bounded():
                await hearing
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await hearing


_KINDS: Final = {404: NotThere, 900: Unreachable}
"""By status; 900 is the library's own, for an engine that cannot be connected to."""


def _events(told: Mapping[str, Any]) -> Iterable[Event]:
    kind, actor = told.get("Type"), told.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    if kind == "container":
        yield Event("container", told["Action"], actor["ID"], attributes, told.get("timeNano", 0))
    elif kind == "network" and "container" in attributes:
        yield Event("network", told["Action"], attributes["container"], attributes, told.get("timeNano", 0))


def _words(error: aiodocker.DockerError) -> str:
    """What the engine says, or the system of its socket."""
    beneath = error.__context__
    if isinstance(beneath, UnixClientConnectorError):
        match beneath.os_error:
            case PermissionError():
                return f"this user may not use the socket {beneath.path}"
            case FileNotFoundError():
                return f"there is no socket {beneath.path}"
    return str(error.message)


@asynccontextmanager
async def bounded(seconds: float | None = 0.0) -> AsyncIterator[None]:
    """Have all that may go wrong between here and the engine be an EngineError; 0: `ANSWER_SECONDS`."""
    allowed = ANSWER_SECONDS if seconds == 0 else seconds
    try:
        async with asyncio.timeout(allowed):
            yield
    except TimeoutError:
        raise Unreachable(f"no answer within {allowed or 0:g} s") from None
    except aiodocker.DockerError as error:
        raise _KINDS.get(error.status, EngineError)(_words(error)) from None
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from None
    except (ValueError, KeyError) as error:
        raise EngineError(f"{type(error).__name__}: {error}") from None
