"""The platform `docker`: containers of one engine, and Deployments as such."""

from __future__ import annotations

from random import Random
from typing import Final

from discovery.platforms.docker.address import engine_of, lacking
from discovery.platforms.making import Made, Parts

FINDS: Final = False


def make(parts: Parts, runs: bool) -> Made:
    """Raises CannotMake without the library, or an engine's address."""
    try:
        from discovery.platforms.docker.platform import DockerPlatform, Running
    except ImportError as error:
        raise lacking("docker", error) from None
    running = Running(parts.state / "rollouts", parts.drained, parts.served_at) if runs else None
    made = DockerPlatform(engine_of(parts.node), Random(), parts.prober, running)
    return Made(made, made.deployments, made.standing)
