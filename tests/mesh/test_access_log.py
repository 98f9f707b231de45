"""The access log: one line an exchange, never more than its bound, nothing lost on a quiet end."""

from __future__ import annotations

import asyncio
import json
import threading

import msgspec
import pytest

from mesh.access_log import BATCH, FORMATS, AccessLog, AccessRecord, format_common, format_record

RECORD = AccessRecord(1700000000.5, "192.0.2.1", "127.96.0.1:80", "default", "shop", "http", "GET", "/a?b", 200)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(
            RECORD,
            {
                "time": 1700000000.5, "client": "192.0.2.1", "listener": "127.96.0.1:80", "namespace": "default",
                "service": "shop", "port": "http", "method": "GET", "target": "/a?b", "status": 200,
            },
            id="answered by the endpoint",
        ),
        pytest.param(
            AccessRecord(1.0, "::1", "[::1]:80", status=503, reason="connection_refused", bytes_in=3, request_id="x"),
            {
                "time": 1.0, "client": "::1", "listener": "[::1]:80", "status": 503, "reason": "connection_refused",
                "bytesIn": 3, "requestId": "x",
            },
            id="answered by the proxy",
        ),
    ],
)  # fmt: skip
def test_lines(record: AccessRecord, expected: dict[str, object]) -> None:
    line = format_record(record)
    assert json.loads(line) == expected
    assert line.count(b"\n") == 1


COMMON = {
    "answered by the endpoint": (
        msgspec.structs.replace(RECORD, endpoint="10.0.0.1:80", seconds=0.25, bytes_out=99, request_id="f00d"),
        b'192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b HTTP/1.1" 200 99 - 10.0.0.1:80 0.250000 "f00d"\n',
    ),
    "answered by the proxy": (
        msgspec.structs.replace(RECORD, status=503, reason="connection_refused", minor=0, time=0.0),
        b'192.0.2.1 - - [01/Jan/1970:00:00:00 +0000] "GET /a?b HTTP/1.0" 503 0 connection_refused - 0.000000 "-"\n',
    ),
    "relayed": (
        AccessRecord(951782400.0, "::1", "[::1]:80"),
        b'::1 - - [29/Feb/2000:00:00:00 +0000] "-" - 0 - - 0.000000 "-"\n',
    ),
}


@pytest.mark.parametrize("name", COMMON)
def test_common_lines(name: str) -> None:
    record, expected = COMMON[name]
    assert format_common(record) == expected


@pytest.mark.parametrize("name", FORMATS)
def test_a_client_cannot_forge_a_line(name: str) -> None:
    forged = '/\n{"time":0}\r\x00" 200 1\u2028'
    line = FORMATS[name](msgspec.structs.replace(RECORD, target=forged, request_id=forged, method='G"'))
    assert line.count(b"\n") == 1
    assert b"\r" not in line


def test_a_client_cannot_break_out_of_its_quotes() -> None:
    line = format_common(msgspec.structs.replace(RECORD, target='/" 200 1 \\"', request_id='a"b'))
    assert line.count(b'"') - line.count(b'\\"') == 4
    assert b'"GET /\\" 200 1 \\\\\\" HTTP/1.1" 200 0 - - 0.000000 "a\\"b"\n' in line


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
    log = AccessLog(lines.append)
    for number in range(BATCH + 10):
        log(msgspec.structs.replace(RECORD, target=f"/{number}"))
    await written(log, lines, BATCH + 10)
    assert [json.loads(line)["target"] for line in b"".join(lines).splitlines()] == [
        f"/{number}" for number in range(BATCH + 10)
    ]
    assert len(lines) == 2


async def test_too_many_are_counted_and_said() -> None:
    lines: list[bytes] = []
    log = AccessLog(lines.append, capacity=3)
    for _ in range(10):
        log(RECORD)
    await written(log, lines, 4)
    assert json.loads(b"".join(lines).splitlines()[-1])["lost"] == 7


async def test_what_waits_is_written_at_the_end() -> None:
    lines: list[bytes] = []
    log = AccessLog(lines.append)
    task = asyncio.ensure_future(log.run())
    await asyncio.sleep(0)
    log(RECORD)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert b"".join(lines) == format_record(RECORD)


async def test_a_slow_disk_does_not_hold_the_loop() -> None:
    release = threading.Event()
    lines: list[bytes] = []

    def slow(chunk: bytes) -> None:
        release.wait(5)
        lines.append(chunk)

    log = AccessLog(slow)
    log(RECORD)
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

    log = AccessLog(slow)
    log(msgspec.structs.replace(RECORD, target="/1"))
    task = asyncio.ensure_future(log.run())
    async with asyncio.timeout(5):
        while not entered.is_set():
            await asyncio.sleep(0.001)
    log(msgspec.structs.replace(RECORD, target="/2"))
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

    log = AccessLog(write)
    task = asyncio.ensure_future(log.run())
    log(RECORD)
    log(RECORD)
    async with asyncio.timeout(5):
        while not refused:
            await asyncio.sleep(0.001)
        full = False
        log(RECORD)
        while not lines:
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    said = [json.loads(line) for line in b"".join(lines).splitlines()]
    assert said[0]["target"] == RECORD.target
    assert said[1]["lost"] == 2
