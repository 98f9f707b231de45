from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from discovery.platforms.base import ContainerUsage
from discovery.platforms.docker.engine import EngineError
from discovery.platforms.docker.usage import WANTED_SECONDS, Usage, read
from tests.discovery.platforms.docker.pods import mark

RUNS = {"cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}, "system_cpu_usage": 1}}
MEMORY = {"usage": 3000}
STATS: dict[str, tuple[dict[str, Any], tuple[float | None, float | None]]] = {
    "nothing": ({}, (None, None)),
    "it does not run": ({"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}, (None, None)),
    "no page cache": (RUNS | {"memory_stats": MEMORY}, (2.5, 3000.0)),
    "cgroups v2": (RUNS | {"memory_stats": MEMORY | {"stats": {"inactive_file": 1000}}}, (2.5, 2000.0)),
    "cgroups v1": (
        RUNS | {"memory_stats": MEMORY | {"stats": {"total_inactive_file": 500, "inactive_file": 1000}}},
        (2.5, 2500.0),
    ),
    "no memory": (RUNS, (2.5, None)),
}


@pytest.mark.parametrize("case", STATS)
def test_what_is_read(case: str) -> None:
    stats, wanted = STATS[case]
    assert read(stats) == wanted


async def test_it_is_looked_at_while_somebody_wants_to_know() -> None:
    now, asked, gone = 0.0, list[str](), False

    async def stats(container: str) -> Mapping[str, Any]:
        asked.append(container)
        if gone:
            raise EngineError("gone")
        return RUNS

    usage, spec = Usage(stats, lambda: now), mark().spec
    await usage.look()
    assert usage.of("", spec) == usage.of("one", spec) == ContainerUsage("main")
    await usage.look()
    now = 3.0
    known = usage.of("one", spec)
    assert (asked, known.cpu_seconds, known.at) == (["one"], 2.5, 0.0)
    gone = True
    await usage.look()
    assert usage.of("one", spec).cpu_seconds is None
    now += WANTED_SECONDS + 1
    await usage.look()
    assert asked == ["one", "one"]
