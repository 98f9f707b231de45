"""What all tests share: event loops, sample sizes, and the rule that CI may not skip."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import pytest
import uvloop
from _pytest.faulthandler import fault_handler_stderr_fd_key
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests.tools import tables

gc.disable()  # until all is collected that lives to the end
SOAK = os.environ.get("WEFT_SOAK") == "1"
SOAK_SECONDS = 7200
"""That a single test may take at full size."""
REPEATED = 3
"""One in so many tests of `both_loops` runs on asyncio too, always the same ones."""
CI = os.environ.get("CI") == "true"

settings.register_profile(
    "bounded", max_examples=15, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("soak", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("soak" if SOAK else "bounded")
if not SOAK:
    # Few samples are hardly of the constants in weft's modules: reading these takes seconds, and whatever changed there
    # would change the samples.
    providers._get_local_constants = lambda: providers._local_constants


@pytest.fixture(scope="session")
def size() -> Callable[[int, int], int]:
    """`size(bounded, full)`: how much of something this run does."""
    return lambda bounded, full: full if SOAK else bounded


def pytest_configure(config: pytest.Config) -> None:
    """A test may take what pyproject.toml says; at full size much longer, and each row for itself."""
    if SOAK:
        config.option.timeout = SOAK_SECONDS
    else:
        config.pluginmanager.register(tables)


def fast_loop() -> asyncio.AbstractEventLoop:
    loop = uvloop.new_event_loop()
    loop.set_exception_handler(end_if_late)
    return loop


def end_if_late(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A test that is out of time fails where it waits: what a signal raises, uvloop tells nobody but its handler."""
    if isinstance(late := context.get("exception"), pytest.fail.Exception):
        for task in asyncio.all_tasks(loop):
            task.cancel(str(late))
    else:
        loop.default_exception_handler(context)


def debug_loop() -> asyncio.AbstractEventLoop:
    """Plain asyncio in debug mode: slow callbacks, lost exceptions and unclosed transports show."""
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    return loop


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests with a loop run on uvloop, as weft does; those marked `both_loops` again on asyncio in debug mode."""
    if item.get_closest_marker("both_loops"):
        return {"uvloop": fast_loop, "asyncio": debug_loop}
    return {"uvloop": fast_loop}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The bounded run repeats a third of the tests on asyncio, of a table of cases the first; the soak run all."""
    seen: set[tuple[object, ...]] = set()
    left_out: list[pytest.Item] = []
    for item in items if not SOAK else ():
        if item.get_closest_marker("soak"):
            left_out.append(item)
            continue
        parts = item.name.partition("[")[2].rstrip("]").split("-")
        if item.get_closest_marker("both_loops") and "asyncio" in (parts[0], parts[-1]):
            test = (item.parent, getattr(item, "originalname", item.name))
            if test in seen or crc32(item.nodeid.partition("[")[0].encode()) % REPEATED:
                left_out.append(item)
            seen.add(test)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """The end of a test that failed is limited too: pytest limits nothing more then, as a debugger may be at work."""
    if isinstance(node, pytest.Item) and (seconds := float(node.config.getini("faulthandler_timeout") or 0)):
        faulthandler.dump_traceback_later(seconds, file=node.config.stash[fault_handler_stderr_fd_key], exit=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With CI=true a skipped test fails the run: .ci/run installs all that the tests need."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if CI and skipped and exitstatus == 0:
        for report in skipped:
            reporter.write_line(f"skipped in CI: {report.nodeid}: {report.longrepr}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_finish() -> None:
    """What was imported and collected lives to the end: nobody need look through it who collects garbage."""
    gc.enable()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
