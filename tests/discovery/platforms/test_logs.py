from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from discovery.platforms.logs import LONGEST_LINE, LogFolder, last_line
from tests.discovery.platforms.local import eventually


@pytest.fixture
def logs(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path / "logs", limit=1000, kept=2)


def test_files_append_and_are_for_their_owner(logs: LogFolder) -> None:
    path = logs.path("default", "shop-a-1", "main")
    for word in (b"one ", b"two"):
        output = logs.open(path)
        os.write(output, word)
        os.close(output)
    assert path.read_bytes() == b"one two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert logs.folder.stat().st_mode & 0o777 == 0o700


async def test_what_outgrows_its_limit_is_moved_aside(logs: LogFolder) -> None:
    path = logs.path("default", "shop-a-1", "main")
    output = logs.open(path)
    tending = asyncio.ensure_future(logs.tend(0.01))
    try:
        for letter in (b"a", b"b"):
            os.write(output, letter * 1500)
            await eventually(lambda: path.stat().st_size == 0)
            os.write(output, b"after")
            assert path.read_bytes() == b"after"
            os.ftruncate(output, 0)
        assert path.with_suffix(".log.1").read_bytes() == b"b" * 1000
        assert sorted(name.name for name in logs.folder.iterdir()) == [path.name, f"{path.name}.1"]
    finally:
        os.close(output)
        tending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tending


async def test_a_busy_writer_stays_bounded(tmp_path: Path) -> None:
    logs = LogFolder(tmp_path, limit=100_000)
    path = logs.path("default", "shop-a-1", "main")
    output = logs.open(path)
    tending = asyncio.ensure_future(logs.tend(0.001))
    try:
        largest = 0
        for _ in range(500):
            os.write(output, b"x" * 9_999 + b"\n")
            await asyncio.sleep(0.0005)
            largest = max(largest, sum(file.stat().st_size for file in tmp_path.iterdir()))
        assert 100_000 < largest < 1_000_000
    finally:
        os.close(output)
        tending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tending


async def test_a_file_that_was_deleted_disturbs_nobody(logs: LogFolder) -> None:
    gone, grown = (logs.path("default", name, "main") for name in ("a", "b"))
    outputs = [logs.open(gone), logs.open(grown)]
    gone.unlink()
    os.write(outputs[1], b"x" * 2000)
    tending = asyncio.ensure_future(logs.tend(0.01))
    try:
        await eventually(lambda: grown.stat().st_size == 0)
    finally:
        tending.cancel()
        for output in outputs:
            os.close(output)
    with pytest.raises(asyncio.CancelledError):
        await tending


def test_the_last_files_of_ended_replicas_stay(logs: LogFolder) -> None:
    paths = [logs.path("default", f"shop-{number}", "main") for number in range(5)]
    for age, path in enumerate(paths):
        os.close(logs.open(path))
        path.with_suffix(".log.1").write_bytes(b"")
        os.utime(path, (age, age))
    for path in paths[1:]:
        logs.release(path)
    logs.prune()
    kept = {path for path in logs.folder.iterdir() if path.suffix == ".log"}
    assert kept == {paths[0], paths[3], paths[4]}
    assert len(list(logs.folder.iterdir())) == 6


async def test_trouble_with_one_file_is_told_and_keeps_no_other_waiting(
    logs: LogFolder, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [logs.path("default", name, "main") for name in ("a", "b", "c")]
    outputs = [logs.open(path) for path in paths]
    for output in outputs:
        os.write(output, b"x" * 2000)
    paths[1].with_suffix(".log.new").mkdir()
    tending = asyncio.ensure_future(logs.tend(0.01))
    try:
        await eventually(lambda: [path.stat().st_size for path in paths] == [0, 2000, 0])
        await eventually(lambda: "cannot be kept short" in caplog.text)
    finally:
        tending.cancel()
        for output in outputs:
            os.close(output)
    with pytest.raises(asyncio.CancelledError):
        await tending


LAST: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 0, ""),
    "one": (b"Traceback:\n  at x\nKeyError: 'PORT'\n", 0, "KeyError: 'PORT'"),
    "without an end": (b"a\nb", 0, "b"),
    "empty lines": (b"said\n\n \n\x00\n", 0, "said"),
    "of this run": (b"before\n", 7, ""),
    "truncated since": (b"after\n", 700, "after"),
    "no terminal is steered": (b"\x1b[31mred\xff\x07\n", 0, "[31mred\ufffd"),
    "long": (b"x" * 9000 + b"\n", 0, "x" * (LONGEST_LINE - 3) + "..."),
}


@pytest.mark.parametrize("name", LAST)
def test_the_last_line_is_bounded_and_printable(tmp_path: Path, name: str) -> None:
    written, since, expected = LAST[name]
    (tmp_path / "log").write_bytes(written)
    assert last_line(tmp_path / "log", since) == expected


def test_a_log_that_is_gone_has_no_last_line(tmp_path: Path) -> None:
    assert last_line(tmp_path / "none", 0) == ""
