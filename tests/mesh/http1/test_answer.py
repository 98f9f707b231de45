"""Answers of the proxy itself."""

from __future__ import annotations

import pytest

from mesh import reasons
from mesh.http1.answer import answer
from mesh.http1.response import read_response

REASONS = [r for r in vars(reasons).values() if isinstance(r, reasons.Reason) and r is not reasons.CLIENT_GONE]


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.details)
def test_every_reason_makes_a_readable_answer(reason: reasons.Reason) -> None:
    raw = answer(reason, reason.details, b"id-1", head_only=False, close=True)
    head, _, text = raw.partition(b"\r\n\r\n")
    response = read_response(head + b"\r\n\r\n")
    assert (response.status, response.length, response.reusable) == (reason.status, len(text), False)
    proxy_status = f'Proxy-Status: weft; error={reason.error}; details="{reason.details}"'
    assert proxy_status.encode() in head
    assert b"X-Request-Id: id-1" in head
    assert reason.details.encode() in text


def test_head_and_keep_alive() -> None:
    raw = answer(reasons.NO_ENDPOINTS, "x", b"", head_only=True, close=False, keep_alive=True)
    assert raw.endswith(b"Connection: keep-alive\r\n\r\n")
    assert b"Content-Length: " in raw


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (302, "", b"Content-Length: 0\r\nX-Request-Id: id-1\r\nLocation: /x\r\n\r\n"),
        (204, "", b"X-Request-Id: id-1\r\nLocation: /x\r\n\r\n"),
        (204, "some", b'Proxy-Status: weft; error=some; details="why"\r\nX-Request-Id: id-1\r\nLocation: /x\r\n\r\n'),
        (
            299,
            "some",
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\n"
            b'Proxy-Status: weft; error=some; details="why"\r\n'
            b"X-Request-Id: id-1\r\nLocation: /x\r\n\r\nweft: 299 : why\n",
        ),
    ],
    ids=["redirect", "preflight", "a fault without a body", "a fault without a name"],
)
def test_what_policies_answer(status: int, error: str, expected: bytes) -> None:
    reason, fields = reasons.Reason(status, error, ""), b"Location: /x\r\n"
    raw = answer(reason, "why", b"id-1", head_only=False, close=False, fields=fields)
    status_line, _, rest = raw.partition(b"\r\nDate: ")
    assert status_line.startswith(b"HTTP/1.1 %d " % status)
    assert rest.partition(b"\r\n")[2] == expected
    assert read_response(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n").status == status
