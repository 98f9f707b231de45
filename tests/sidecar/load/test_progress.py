"""What is told of a run while it runs, and how the line looks in the end."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from sidecar.load import progress
from sidecar.load.progress import Look, line, told

BEFORE = Look(2.0, 200, 200, 0)
LINES = [
    ("not begun", Look(-1.0, 0, 0, 0), Look(-1.0, 0, 0, 0), "connecting"),
    ("first", Look(-1.0, 0, 0, 0), Look(0.5, 60, 50, 0), "0 of 10 s: 50 answered, 100 a second"),
    ("steady", BEFORE, Look(2.5, 250, 250, 0), "2 of 10 s: 250 answered, 100 a second"),
    ("stalled", BEFORE, Look(3.0, 264, 200, 0), "3 of 10 s: 200 answered, 0 a second"),
    ("failing", BEFORE, Look(3.0, 264, 200, 3), "3 of 10 s: 200 answered, 0 a second, 3 failed"),
    ("same moment", BEFORE, BEFORE, "2 of 10 s: 200 answered, 0 a second"),
    ("at the end", BEFORE, Look(10.0, 1000, 990, 0), "waiting for the last answers: 990 of 1000"),
]


@pytest.mark.parametrize(("before", "now", "text"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_lines(before: Look, now: Look, text: str) -> None:
    assert line(10, before, now) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Running:
    """Answers 100 requests between two looks, and says when it was looked at `enough` times."""

    def __init__(self, enough: int) -> None:
        self._looks = 0
        self._enough = enough
        self.seen = asyncio.Event()

    def look(self) -> Look:
        self._looks += 1
        if self._looks > self._enough:
            self.seen.set()
        return Look(self._looks, self._looks * 100, self._looks * 100, 0)


async def tell(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("REDRAW_SECONDS", "LINE_SECONDS"):
        monkeypatch.setattr(progress, name, 0.001)
    run = Running(2)
    async with asyncio.timeout(10), told(run, 1000, stream):
        await run.seen.wait()
    return stream.getvalue()


async def test_a_terminal_has_one_line_that_is_wiped_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = await tell(Terminal(), monkeypatch)
    assert text.startswith("\r2 of 1000 s: 200 answered, 100 a second\x1b[K\r3 of 1000 s: 300 answered")
    assert text.endswith("\r\x1b[K")
    assert "\n" not in text


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
async def test_a_pipe_and_a_dumb_terminal_have_lines(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text = await tell(stream(), monkeypatch)
    assert text.startswith("2 of 1000 s: 200 answered, 100 a second\n3 of 1000 s: 300 answered")
    assert "\r" not in text


async def test_what_is_over_soon_says_nothing_in_a_pipe() -> None:
    stream = io.StringIO()
    async with told(Running(1), 1, stream):
        await asyncio.sleep(0)
    assert stream.getvalue() == ""


async def test_a_narrow_terminal_is_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_columns", lambda _: 20)
    text = await tell(Terminal(), monkeypatch)
    assert text.startswith("\r2 of 1000 s: 200 an\x1b[K\r")
