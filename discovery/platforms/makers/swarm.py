"""The platform `swarm`: tasks of Docker Swarm, and on a manager its services."""

from __future__ import annotations

from random import Random
from typing import Final

from discovery.platforms.docker.address import engine_of, lacking
from discovery.platforms.making import Made, Parts

FINDS: Final = True


def make(parts: Parts, runs: bool) -> Made:
    """Raises CannotMake without the library, or an engine's address."""
    try:
        from discovery.platforms.swarm.platform import SwarmPlatform
    except ImportError as error:
        raise lacking("swarm", error) from None
    made = SwarmPlatform(engine_of(parts.node), Random(), parts.prober if parts.carries else None, parts.found)
    return Made(made, None, made.standing, made.size)
