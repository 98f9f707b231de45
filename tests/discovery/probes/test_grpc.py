"""Dialogues with a server made of frames, split at every byte, and one with a real HTTP/2 server."""

from __future__ import annotations

import asyncio
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.health import Finding, Outcome
from discovery.probes import hpack
from discovery.probes.grpc import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    METHOD,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    TOTAL_LIMIT,
    HealthCheck,
    check,
    frame,
)
from tests.discovery.probes.servers import serving

GOOD = Finding(Outcome.SUCCESS)
HELLO = frame(SETTINGS, 0, 0, b"")
HEAD = frame(HEADERS, END_HEADERS, 1, b"\x88" + hpack.encode([(b"content-type", b"application/grpc")]))


def message(status: int | None) -> bytes:
    body = b"" if status is None else bytes([8, status])
    return b"\x00" + struct.pack(">I", len(body)) + body


def health(status: int | None) -> bytes:
    return frame(DATA, 0, 1, message(status))


def trailers(*fields: tuple[bytes, bytes], flags: int = END_HEADERS | END_STREAM) -> bytes:
    return frame(HEADERS, flags, 1, hpack.encode(fields))


FINE = trailers((b"grpc-status", b"0"))
HUFFMAN_TRAILERS = frame(
    HEADERS, END_HEADERS | END_STREAM, 1, bytes.fromhex("40 88 9acac8b21234da8f") + bytes.fromhex("81 07")
)


def bad(reason: str) -> Finding:
    return Finding(Outcome.FAILURE, reason)


ANSWERS: list[tuple[str, bytes, Finding]] = [
    ("serving", HELLO + HEAD + health(1) + FINE, GOOD),
    ("huffman coded trailers", HELLO + HEAD + health(1) + HUFFMAN_TRAILERS, GOOD),
    ("not serving", HELLO + HEAD + health(2) + FINE, bad("health is NOT_SERVING")),
    ("an empty message means unknown", HELLO + HEAD + health(None) + FINE, bad("health is UNKNOWN")),
    ("a number that does not exist yet", HELLO + HEAD + health(9) + FINE, bad("health is 9")),
    ("no message", HELLO + HEAD + FINE, bad("no health in the answer")),
    (
        "trailers only: no such method",
        HELLO + frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x88" + hpack.encode([(b"grpc-status", b"12")])),
        bad("does not implement grpc.health.v1.Health"),
    ),
    (
        "an error with its message",
        HELLO
        + frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            1,
            b"\x88" + hpack.encode([(b"grpc-status", b"5"), (b"grpc-message", b"unknown%20service")]),
        ),
        bad("grpc-status 5: unknown service"),
    ),
    ("no grpc-status", HELLO + HEAD + frame(DATA, END_STREAM, 1, message(1)), bad("grpc-status missing")),
    ("an HTTP error", HELLO + frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x8d"), bad("HTTP 404")),
    ("an HTTP/1 server", b"HTTP/1.1 400 Bad Request\r\n\r\n", bad("does not speak HTTP/2")),
    ("reset", HELLO + frame(RST_STREAM, 0, 1, struct.pack(">I", 8)), bad("stream reset with HTTP/2 error 8")),
    ("sent away", HELLO + frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)), bad("connection refused by GOAWAY")),
    (
        "a polite GOAWAY does not matter",
        HELLO + frame(GOAWAY, 0, 0, struct.pack(">II", 2**31 - 1, 0)) + HEAD + health(1) + FINE,
        GOOD,
    ),
    (
        "headers in pieces, padded, with a priority",
        HELLO
        + frame(HEADERS, PADDED | PRIORITY, 1, b"\x02" + bytes(5) + b"\x88" + bytes(2))
        + frame(CONTINUATION, END_HEADERS, 1, hpack.encode([(b"a", b"b")]))
        + frame(DATA, PADDED, 1, b"\x03" + message(1) + bytes(3))
        + FINE,
        GOOD,
    ),
    ("frames of other kinds",
     HELLO + frame(8, 0, 0, bytes(4)) + HEAD + frame(0x77, 0, 1, b"?") + health(1) + FINE, GOOD),
    ("a frame that is too large", HELLO + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", bad("answer too large")),
    ("headers that are not HPACK",
     HELLO + frame(HEADERS, END_HEADERS, 1, b"\x00\x7f\xff"), bad("malformed HTTP/2 answer")),
    ("an empty padded frame", HELLO + HEAD + frame(DATA, PADDED, 1, b""), bad("malformed HTTP/2 answer")),
]  # fmt: skip


def talk(pieces: Iterable[bytes]) -> tuple[Finding | None, bytes]:
    dialogue, replies = HealthCheck("127.0.0.1:1", ""), bytearray()
    for piece in pieces:
        finding = dialogue.received(piece, replies.extend)
        if finding is not None:
            return finding, bytes(replies)
    return None, bytes(replies)


@pytest.mark.parametrize(("case", "answer", "finding"), ANSWERS, ids=[each[0] for each in ANSWERS])
def test_answers(case: str, answer: bytes, finding: Finding) -> None:
    assert talk([answer])[0] == finding
    assert talk(answer[i : i + 1] for i in range(len(answer)))[0] == finding


@pytest.mark.parametrize(("case", "answer", "finding"), ANSWERS[:4], ids=[each[0] for each in ANSWERS[:4]])
def test_an_answer_that_is_cut_is_never_taken_for_whole(case: str, answer: bytes, finding: Finding) -> None:
    for end in range(len(answer)):
        assert talk([answer[:end]])[0] is None


def test_settings_and_pings_are_acknowledged() -> None:
    settled, ping, pong = frame(SETTINGS, 1, 0, b""), frame(PING, 0, 0, b"12345678"), frame(PING, 1, 0, b"12345678")
    _, replies = talk([HELLO, settled, ping, pong])
    assert replies == settled + pong


def test_an_endless_answer_is_given_up() -> None:
    chatter = frame(DATA, 0, 1, bytes(8000))
    finding, _ = talk([HELLO, HEAD, *[chatter] * (TOTAL_LIMIT // 8000 + 2)])
    assert finding == bad("answer too large")


def test_a_closed_connection_is_a_failure() -> None:
    assert HealthCheck("a", "").ended() == bad("connection closed before the answer was complete")


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    talk([HELLO, *pieces])


def frames(data: bytes) -> Iterable[tuple[int, int, int, bytes]]:
    while data:
        length = int.from_bytes(data[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", data[3:9])
        yield kind, flags, stream, data[9 : 9 + length]
        data = data[9 + length :]


@pytest.mark.parametrize(("service", "length"), [("", 0), ("payment", 9), ("x" * 200, 203)])
def test_the_request(service: str, length: int) -> None:
    opening = HealthCheck("127.0.0.1:50051", service).opening()
    assert opening.startswith(PREFACE)
    settings, headers, data = frames(opening.removeprefix(PREFACE))
    assert settings[:3] == (SETTINGS, 0, 0)
    assert headers[:3] == (HEADERS, END_HEADERS, 1)
    fields = dict(hpack.decode(headers[3]))
    assert (fields[b":path"], fields[b":authority"], fields[b"te"]) == (METHOD, b"127.0.0.1:50051", b"trailers")
    assert data[:3] == (DATA, END_STREAM, 1)
    assert data[3][:5] == b"\x00" + struct.pack(">I", length)
    assert data[3][5:].endswith(service.encode())
    assert len(data[3]) == 5 + length


@pytest.mark.both_loops
async def test_over_a_connection() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readexactly(len(PREFACE))) == PREFACE
        writer.write(HELLO)
        acknowledgement = frame(SETTINGS, 1, 0, b"")
        await reader.readuntil(acknowledgement)
        writer.write(HEAD + health(1) + FINE)
        await reader.read()

    async with serving(handle) as port:
        assert await check("127.0.0.1", port, "payment") == GOOD


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
@pytest.mark.parametrize(
    ("status", "code", "finding"),
    [(1, "0", GOOD), (2, "0", bad("health is NOT_SERVING")), (1, "14", bad("grpc-status 14: shop is closed"))],
)
async def test_nginx_as_http2_server(status: int, code: str, finding: Finding, tmp_path: Path) -> None:
    """Its header compression and framing are not ours."""
    from tests.discovery.probes.nginx import running

    (tmp_path / "grpc.health.v1.Health").mkdir()
    (tmp_path / "grpc.health.v1.Health/Check").write_bytes(message(status))
    server = f"""
    location / {{
        root {tmp_path}; error_page 405 =200 $uri; default_type application/grpc;
        add_trailer grpc-status {code} always; add_trailer grpc-message "shop is closed" always;
    }}
    """
    async with running(tmp_path, server, listen=" http2") as port:
        assert await check("127.0.0.1", port, "") == finding
