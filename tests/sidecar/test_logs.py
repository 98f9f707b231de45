"""Log lines as people and programs read them."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from sidecar.logs import JSONFormatter, TextFormatter, quoted, timestamp


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("mesh.listener", logging.WARNING, "file.py", 1, message, (), None)
    made.created = 1_700_000_000.25
    vars(made).update(extra)
    return made


LINES = {
    "plain": (record("bound"), "2023-11-14T22:13:20.250Z warning mesh.listener bound"),
    "fields": (record("bound", at="127.0.0.1:80", n=3), "... mesh.listener bound at=127.0.0.1:80 n=3"),
    "quotes": (record("bound", why='a "b" c'), '... mesh.listener bound why="a \\"b\\" c"'),
    "empty": (record("bound", why=""), '... mesh.listener bound why=""'),
    "forged": (record("a\nb", why="x\ny=z"), '... mesh.listener a\\nb why="x\\ny=z"'),
}


@pytest.mark.parametrize("name", LINES)
def test_text_lines(name: str) -> None:
    made, line = LINES[name]
    written = TextFormatter().format(made)
    assert written.endswith(line.removeprefix("..."))
    assert "\n" not in written


@pytest.mark.parametrize("name", LINES)
def test_json_lines_say_the_same(name: str) -> None:
    made, _ = LINES[name]
    line = JSONFormatter().format(made)
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("warning", "mesh.listener", made.getMessage())
    assert {"at", "n", "why"} & set(entry) == {"at", "n", "why"} & set(vars(made))


def test_an_exception_is_kept() -> None:
    try:
        raise RuntimeError("a fault of ours")
    except RuntimeError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    assert "a fault of ours" in TextFormatter().format(made)
    assert "a fault of ours" in json.loads(JSONFormatter().format(made))["exception"]


def test_small_parts() -> None:
    assert timestamp(0.0009) == "1970-01-01T00:00:00.000Z"
    assert quoted(5) == "5"
    assert quoted("a b") == '"a b"'
