"""How a load test goes, told while it runs: one line redrawn on a terminal, a line now and then in a pipe.

It is told on stderr, so that stdout holds nothing but the report.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol, TextIO

REDRAW_SECONDS = 0.5
"""On a terminal."""
LINE_SECONDS = 10.0
"""In a pipe."""


class Look(NamedTuple):
    """What was counted up to one moment; `elapsed` in seconds, below 0 before the first request is due."""

    elapsed: float
    sent: int
    answered: int
    failed: int


class Looked(Protocol):
    def look(self) -> Look: ...


def line(seconds: float, before: Look, now: Look) -> str:
    """What is to be said of a run over `seconds`; the rate is that since the look `before`."""
    if now.elapsed < 0:
        return "connecting"
    between = now.elapsed - max(before.elapsed, 0.0)
    rate = (now.answered - before.answered) / between if between > 0 else 0.0
    failed = f", {now.failed} failed" if now.failed else ""
    if now.elapsed >= seconds:
        return f"waiting for the last answers: {now.answered} of {now.sent}{failed}"
    return f"{now.elapsed:.0f} of {seconds:g} s: {now.answered} answered, {rate:.0f} a second{failed}"


@asynccontextmanager
async def told(run: Looked, seconds: float, stream: TextIO) -> AsyncIterator[None]:
    """While it is entered, `stream` is told how `run` goes; a line that was redrawn is wiped in the end."""
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    telling = asyncio.create_task(_tell(run, seconds, stream, terminal))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        if terminal:
            _write(stream, "\r\x1b[K")


async def _tell(run: Looked, seconds: float, stream: TextIO, terminal: bool) -> None:
    before = run.look()
    while True:
        await asyncio.sleep(REDRAW_SECONDS if terminal else LINE_SECONDS)
        now = run.look()
        text = line(seconds, before, now)
        # A line that wraps could not be redrawn.
        _write(stream, f"\r{text[: _columns(stream) - 1]}\x1b[K" if terminal else f"{text}\n")
        before = now


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()
