"""Parts for platforms in tests: of a node that sends nothing to anybody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from config.settings import DockerSettings, NodeConfigSpec
from discovery.platforms.environment import as_written
from discovery.platforms.making import Parts
from discovery.prober import Prober


async def no_drain(_replica: str, _deadline: float) -> None:
    """Nothing is sent to anybody."""


def parts(state: Path, *platforms: str, host: str = "", found: Path | None = None, carries: bool = True) -> Parts:
    """Needs a running event loop; `host`: of the engine."""
    return Parts(
        node=NodeConfigSpec(platforms=platforms, docker=DockerSettings(host=host)),
        state=state,
        found=found,
        prober=Prober(Random(1), asyncio.get_running_loop().time),
        drained=no_drain,
        served_at=as_written,
        carries=carries,
    )
