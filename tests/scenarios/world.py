"""The worlds of scenarios: a weft in a process of its own that must not complain, and one on the test's own loop."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

from config.loader import load_text
from config.meta import Named
from discovery.allocation import allocate
from discovery.assignments import Assignments
from sidecar.assembly import Assembly
from sidecar.load.generator import Generator
from sidecar.load.report import Report
from sidecar.load.schedule import poisson
from sidecar.load.target import parse_target
from sidecar.state import StateFolder
from sidecar.written import Written
from tests.scenarios.manifests import listed, write
from tests.scenarios.weft import PATIENCE, Network, Weft, pause, running

MATTERS_SECONDS = 0.5
"""A callback that held the loop for so long is a fault even on a busy machine."""


@contextmanager
def weft_up(folder: Path, *objects: Mapping[str, Any]) -> Iterator[Weft]:
    """A ``weft up`` of `objects`, which must end well and without a stack trace."""
    network = Network.random()
    with running(write(folder / "manifests", network, *objects), network) as weft:
        yield weft
        assert weft.stop() == 0
    told = weft.told()
    assert "Traceback" not in told, told[:10_000]


class Inside:
    """The data plane of a whole node on the running loop."""

    def __init__(self, node: Assembly) -> None:
        self.node = node

    def address(self, service: str, entry: str = "ClusterIP") -> tuple[str, int]:
        found = [d.served for d in self.node.running.doors() if (d.service, d.entry) == (service, entry)]
        host, _, port = found[0].rpartition(":")
        return host, int(port)

    async def withdraw(self, service: str, *ports: int) -> None:
        """Have the endpoints of a Service on these ports gone, and a table without them in force."""
        catalog, named = self.node.catalog, Named("default", service)
        there = catalog.snapshot.services[named]
        left = {key: tuple(e for e in endpoints if e.port not in ports) for key, endpoints in there.items()}
        catalog.put_endpoints("manifest", {named: left})
        await catalog.acknowledged(catalog.snapshot.generation, asyncio.get_running_loop().time() + PATIENCE)

    async def stop(self) -> None:
        await self.node.stop()

    def counters(self, service: str) -> Any:
        """The frame of the Service's only Backend."""
        return next(each for each in self.node.proxy.frame().backends if each.service == service)


@asynccontextmanager
async def inside(folder: Path, *objects: Mapping[str, Any]) -> AsyncIterator[Inside]:
    """Services and EndpointSlices served on the test's own loop, which may not lose a task or be held for long."""
    loaded = load_text(listed(Network.random(), *objects), "test")
    allocated = allocate(loaded.config_set, Assignments())
    faults = (*loaded.faults, *allocated.faults)
    assert not [fault for fault in faults if fault.severity == "error"], faults
    with closing(StateFolder.open(folder / "state")) as state, no_complaints():
        node = Assembly(Written(allocated.config_set, faults), state)
        async with asyncio.TaskGroup() as beside:
            running_beside = beside.create_task(node.run_beside())
            try:
                await node.start()
                yield Inside(node)
            finally:
                await node.stop()
                running_beside.cancel()


@contextmanager
def no_complaints() -> Iterator[None]:
    """asyncio logs nothing meanwhile: no lost task or exception, no callback that held the loop for long."""
    said: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            took = re.search(r"took ([\d.]+) seconds", text)
            if took is None or float(took[1]) > MATTERS_SECONDS:
                said.append(text)

    handler, logger = Listening(logging.WARNING), logging.getLogger("asyncio")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    assert not said


async def load(address: str, path: str = "/", *, rate: float, seconds: float, connections: int = 16) -> Report:
    """An open-loop load of GET requests, at the same random moments every time."""
    target = parse_target(f"http://{address}{path}")
    arrivals = poisson(rate, random.Random(7))
    return await Generator(target, arrivals, connections, timeout=10.0).run(rate, seconds)


def all_well(report: Report) -> bool:
    """Every request was answered with 200."""
    return not report.errors and report.statuses == {"200": report.sent} and report.sent > 0


async def until(condition: Callable[[], Any], explain: Callable[[], str] = str) -> Any:
    """What `condition` gives once it is true; it may block for a moment, so the loop is not the scenario's own."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := await asyncio.to_thread(condition)):
                await asyncio.sleep(pause(time.monotonic() - began))
    except TimeoutError:
        raise AssertionError(explain()) from None
    return found


def endpoints(weft: Weft, service: str, port: str = "http") -> list[dict[str, Any]]:
    listed = weft.admin("/api/v1/endpoints").json["endpoints"]
    return [each for each in listed if (each["service"], each["servicePort"]) == (service, port)]


def ready(weft: Weft, service: str, port: str = "http") -> list[str]:
    """Addresses of the endpoints that may be used."""
    return [f"{each['address']}:{each['port']}" for each in endpoints(weft, service, port) if each["ready"]]
