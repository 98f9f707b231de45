"""The child process of the question `change`: prints its figures, in milliseconds, as JSON.

python -m benchmarks.changing MANIFESTS
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from config.aside import load_aside
from discovery.allocation import Assignments, allocate
from discovery.catalog import Catalog, PortEndpoints
from discovery.sources import manifest
from mesh.proxy import Proxy
from sidecar.publisher import COALESCE_SECONDS, Publisher

CHANGES = 50


class Watch:
    """The longest time between two runs of a callback that is always ready: how long the loop was held.

    In CPU time of this thread, so that what else the machine does is not taken for ours.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.longest = 0.0
        self._last = time.thread_time()
        self._look()

    def _look(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self._handle = self._loop.call_soon(self._look)

    def stop(self) -> float:
        self._handle.cancel()
        return self.longest


async def main(path: str) -> dict[str, float]:
    loaded = await load_aside([Path(path)])
    config_set = allocate(loaded.config_set, Assignments()).config_set
    catalog = Catalog()
    catalog.define(config_set.services)
    written = manifest.endpoints(config_set)
    catalog.put_endpoints("manifests", written)
    loop = asyncio.get_running_loop()
    publisher = Publisher(Proxy(loop, time.monotonic), config_set, catalog.snapshot)
    catalog.subscribe(publisher.catalog_changed)
    gc.collect()
    gc.freeze()
    gc.disable()  # as weft up does until its first table

    watch = Watch(loop)
    began = time.perf_counter()
    await publisher.publish()
    compiled = time.perf_counter() - began
    first = watch.stop()

    gc.freeze()
    gc.enable()
    times = []
    in_force = asyncio.Event()
    publisher.in_force.append(lambda compiled: in_force.set())
    running = loop.create_task(publisher.run())
    name = next(iter(written))
    for number in range(CHANGES):
        in_force.clear()
        await asyncio.sleep(COALESCE_SECONDS)
        began = time.perf_counter()
        catalog.change_endpoints("manifests", {name: turned(written[name], ready=bool(number % 2))})
        await in_force.wait()
        times.append((time.perf_counter() - began) * 1000)
    running.cancel()
    return {
        "compile": compiled * 1000,
        "slice": first * 1000,
        "change_p50": statistics.median(times),
        "change_max": max(times),
    }


def turned(ports: PortEndpoints, ready: bool) -> PortEndpoints:
    """The same endpoints, but the first of each port is ready or not."""
    return {port: (msgspec.structs.replace(all_[0], ready=ready), *all_[1:]) for port, all_ in ports.items()}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(sys.argv[1]))))
