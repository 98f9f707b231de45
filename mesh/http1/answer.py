"""Answers that the proxy gives itself: a status, why in Proxy-Status (RFC 9209), and the same as text."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

from mesh.reasons import Reason


def answer(
    reason: Reason, details: str, request_id: bytes, *, head_only: bool, close: bool, keep_alive: bool = False
) -> bytes:
    """The whole message; `details` is ASCII without quotes, backslashes and control characters.

    `keep_alive`: the client speaks HTTP/1.0, and is told that its connection stays open, unless `close`.
    """
    phrase = HTTPStatus(reason.status).phrase
    text = f"weft: {reason.status} {phrase}: {details}\n"
    lines = [
        f"HTTP/1.1 {reason.status} {phrase}",
        f"Date: {formatdate(usegmt=True)}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text)}",
        f'Proxy-Status: weft; error={reason.error}; details="{details}"',
    ]
    if request_id:
        lines.append(f"X-Request-Id: {request_id.decode('ascii')}")
    if close:
        lines.append("Connection: close")
    elif keep_alive:
        lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n" + ("" if head_only else text)).encode("ascii")
