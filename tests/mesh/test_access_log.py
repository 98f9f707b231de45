"""The access log: one line an exchange, never more than its bound, nothing lost on a quiet end."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import msgspec
import pytest

from discovery.endpoint import Endpoint
from mesh.access_log import BATCH, About, AccessLog, AccessRecord, PlainEnd, record_of, wall
from mesh.endpoint_state import EndpointState
from mesh.log_lines import json_lines
from mesh.plan import BackendKey

RECORD = AccessRecord(1700000000.5, "192.0.2.1", "127.96.0.1:80", "default", "shop", "http", "", "GET", "/a?b", 200)


PLAIN: PlainEnd = (
    3.5, 0.25, b"GET /a?b HTTP/1.1\r\nHost: shop\r\nX-Request-Id: 0123456789abcdef\r\n\r\n", 65, 200, 99,
    EndpointState(Endpoint("10.0.0.1", 80)),
    About("192.0.2.1", "127.96.0.1:80", BackendKey("default", "shop", "http"), b"shop"),
)  # fmt: skip


def test_a_record_is_made_of_what_a_plain_exchange_holds() -> None:
    assert record_of(PLAIN, 100.0) == msgspec.structs.replace(
        RECORD, time=103.5, endpoint="10.0.0.1:80", seconds=0.25, bytes_in=65, bytes_out=99,
        request_id="0123456789abcdef", host="shop",
    )  # fmt: skip
    assert record_of(RECORD, 100.0) is RECORD


def test_the_clocks_are_told_apart() -> None:
    assert abs(time.monotonic() + wall() - time.time()) < 1.0


async def written(log: AccessLog, lines: list[bytes], expected: int) -> None:
    """Run the log until so many lines are out."""
    task = asyncio.ensure_future(log.run())
    async with asyncio.timeout(5):
        while sum(chunk.count(b"\n") for chunk in lines) < expected:
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_writes_in_order_and_in_batches() -> None:
    lines: list[bytes] = []
    log = AccessLog(lines.append, json_lines)
    for number in range(BATCH + 10):
        log([msgspec.structs.replace(RECORD, target=f"/{number}")])
    await written(log, lines, BATCH + 10)
    assert [json.loads(line)["target"] for line in b"".join(lines).splitlines()] == [
        f"/{number}" for number in range(BATCH + 10)
    ]
    assert len(lines) == 2


async def test_too_many_are_counted_and_said() -> None:
    lines: list[bytes] = []
    log = AccessLog(lines.append, json_lines, capacity=3)
    for _ in range(10):
        log([RECORD])
    await written(log, lines, 4)
    assert json.loads(b"".join(lines).splitlines()[-1])["lost"] == 7


async def test_what_waits_is_written_at_the_end() -> None:
    lines: list[bytes] = []
    log = AccessLog(lines.append, json_lines)
    task = asyncio.ensure_future(log.run())
    await asyncio.sleep(0)
    log([RECORD])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert b"".join(lines) == json_lines([RECORD], 0.0)


async def test_what_is_gathered_at_the_end_is_written() -> None:
    lines: list[bytes] = []
    log = AccessLog(lines.append, json_lines)
    task = asyncio.ensure_future(log.run(lambda: log([RECORD])))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert b"".join(lines) == json_lines([RECORD], 0.0)


async def test_a_slow_disk_does_not_hold_the_loop() -> None:
    release = threading.Event()
    lines: list[bytes] = []

    def slow(chunk: bytes) -> None:
        release.wait(5)
        lines.append(chunk)

    log = AccessLog(slow, json_lines)
    log([RECORD])
    task = asyncio.ensure_future(log.run())
    await asyncio.sleep(0.01)
    assert not lines, "the loop came back while the write was stuck"
    release.set()
    async with asyncio.timeout(5):
        while not lines:
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_write_under_way_is_waited_for_at_the_end() -> None:
    entered, release = threading.Event(), threading.Event()
    lines: list[bytes] = []

    def slow(chunk: bytes) -> None:
        entered.set()
        release.wait(5)
        lines.append(chunk)

    log = AccessLog(slow, json_lines)
    log([msgspec.structs.replace(RECORD, target="/1")])
    task = asyncio.ensure_future(log.run())
    async with asyncio.timeout(5):
        while not entered.is_set():
            await asyncio.sleep(0.001)
    log([msgspec.structs.replace(RECORD, target="/2")])
    task.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [json.loads(line)["target"] for line in lines] == ["/1", "/2"]


async def test_a_full_disk_costs_lines_only() -> None:
    lines: list[bytes] = []
    refused: list[bytes] = []
    full = True

    def write(chunk: bytes) -> None:
        if full:
            refused.append(chunk)
            raise OSError(28, "No space left on device")
        lines.append(chunk)

    log = AccessLog(write, json_lines)
    task = asyncio.ensure_future(log.run())
    log([RECORD])
    log([RECORD])
    async with asyncio.timeout(5):
        while not refused:
            await asyncio.sleep(0.001)
        full = False
        log([RECORD])
        while not lines:
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    said = [json.loads(line) for line in b"".join(lines).splitlines()]
    assert said[0]["target"] == RECORD.target
    assert said[1]["lost"] == 2
