"""The lines of the access log: what a plain exchange holds gives the line that its record gives."""

from __future__ import annotations

import json
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.endpoint import Endpoint
from mesh.access_log import About, AccessRecord, Ended, record_of
from mesh.endpoint_state import EndpointState
from mesh.log_lines import FORMATS, common_lines, json_lines
from mesh.plan import BackendKey
from tests.texts import texts

RECORD = AccessRecord(1700000000.5, "192.0.2.1", "127.96.0.1:80", "default", "shop", "http", "", "GET", "/a?b", 200)


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
    line = json_lines([record], 0.0)
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
    assert common_lines([record], 0.0) == expected


@pytest.mark.parametrize("name", FORMATS)
def test_a_client_cannot_forge_a_line(name: str) -> None:
    forged = '/\n{"time":0}\r\x00" 200 1\u2028'
    record = msgspec.structs.replace(RECORD, target=forged, request_id=forged, method='G"')
    line = FORMATS[name]([record], 0.0)
    assert line.count(b"\n") == 1
    assert b"\r" not in line


def test_a_client_cannot_break_out_of_its_quotes() -> None:
    line = common_lines([msgspec.structs.replace(RECORD, target='/" 200 1 \\"', request_id='a"b')], 0.0)
    assert line.count(b'"') - line.count(b'\\"') == 4
    assert b'"GET /\\" 200 1 \\\\\\" HTTP/1.1" 200 0 - - 0.000000 "a\\"b"\n' in line


STATES = [EndpointState(Endpoint("10.0.0.1", 80)), EndpointState(Endpoint("fd00::1", 8080))]
ABOUTS = [
    About("192.0.2.1", "127.96.0.1:80", BackendKey("default", "shop", "http"), b"shop"),
    About("fe80::1%eth0", "[fd00::9]:80", BackendKey("default", "cart", ""), b"10.0.0.9:8080"),
]
PRINTABLE = (string.ascii_letters + string.digits + string.punctuation).replace("#", "")


@st.composite
def plain_ends(draw: st.DrawFn) -> Ended:
    method, target = draw(st.sampled_from(["GET", "PUT"])), "/" + draw(texts(12, PRINTABLE))
    head = f"{method} {target} HTTP/1.1\r\nHost: a\r\nX-Request-Id: {draw(st.integers(0, 2**63)):016x}\r\n\r\n".encode()
    started, seconds = draw(st.floats(0.0, 1e6)), draw(st.floats(0.0, 100.0))
    status, size = draw(st.sampled_from([200, 404])), draw(st.integers(1, 10**6))
    return (
        started,
        seconds,
        head,
        len(head) + size % 7,
        status,
        size,
        draw(st.sampled_from(STATES)),
        draw(st.sampled_from(ABOUTS)),
    )


@pytest.mark.parametrize("name", FORMATS)
@given(ended=st.lists(plain_ends() | st.just(RECORD), max_size=8))
def test_plain_exchanges_give_the_lines_of_their_records(name: str, ended: list[Ended]) -> None:
    def said(lines: bytes) -> list[Any]:
        return [json.loads(line) if name == "json" else line for line in lines.splitlines()]

    records = [record_of(one, 1e9) for one in ended]
    assert said(FORMATS[name](ended, 1e9)) == [
        {"port": "", **line} if name == "json" and line["service"] == "cart" else line
        for line in said(FORMATS[name](records, 1e9))
    ]


HEAD = b"GET / HTTP/1.1\r\nX-Request-Id: 0123456789abcdef\r\n\r\n"


def test_fields_come_in_the_order_of_records() -> None:
    (ended,) = [(1.0, 0.5, HEAD, len(HEAD), 200, 1, STATES[0], ABOUTS[0])]
    plain, record = json_lines([ended], 0.0), json_lines([record_of(ended, 0.0)], 0.0)
    assert plain == record
