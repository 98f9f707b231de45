"""What is asked of the engine at the begin and at the end of a container's life, whatever earlier ones have left.

A container is known by its id, which a user cannot change, and by its name, which is known before there is an id:
it may be there although the engine's answer never came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from discovery.platforms.docker.engine import Connection, EngineError, NotThere
from discovery.platforms.docker.sighting import ending, sighting


async def make(engine: Connection, name: str, body: Mapping[str, Any], old: str, say: Callable[[str], None]) -> str:
    """Have a new container run and return its id; `old`: the id of the one that it replaces, empty: there is none.

    Its image is pulled where it is not there, which `say` tells, since it takes long.
    """
    for left in (old, name):
        if left:
            await engine.remove(left)
    try:
        made = await engine.create(name, body)
    except NotThere:
        say(f"image {body['Image']} is being pulled")
        await engine.pull(body["Image"])
        made = await engine.create(name, body)
    await engine.start(made)
    return made


async def run_of(engine: Connection, container: str) -> str:
    """Which run of its program this is; empty: it does not run."""
    try:
        found = sighting(await engine.inspect(container))
    except NotThere:
        return ""
    return found.started if found.running else ""


async def end_of(engine: Connection, container: str) -> tuple[str, str]:
    """Why it does not run, and the last that it wrote; empty: it does run, or nobody can say.  Raises NotThere."""
    try:
        found = sighting(await engine.inspect(container))
    except NotThere:
        raise
    except EngineError:
        return "", ""
    if found.running:
        return "", ""
    try:
        return ending(found), await engine.last_line(container)
    except EngineError:
        return ending(found), ""


async def remove(engine: Connection, container: str, grace: float) -> None:
    """Stop and forget it; nothing if it is not there."""
    with suppress(NotThere):
        await engine.stop(container, grace)
        await engine.remove(container)
