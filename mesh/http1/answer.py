"""Answers that the proxy gives itself: a status, why in Proxy-Status (RFC 9209), and the same as text."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus

from mesh.reasons import Reason

_BODILESS = frozenset({204, 205, 304})
_NAMED = frozenset(HTTPStatus)


def answer(
    reason: Reason,
    details: str,
    request_id: bytes,
    *,
    head_only: bool,
    close: bool,
    keep_alive: bool = False,
    fields: bytes = b"",
) -> bytes:
    """The whole message; `details` is ASCII without quotes, backslashes and control characters.

    `keep_alive`: the client speaks HTTP/1.0, and is told that its connection stays open, unless `close`.
    `fields` are more field lines, each ended by CRLF.  Where nothing went wrong (no error type) there is no text.
    """
    status, error, *_ = reason
    phrase = _phrase(status)
    text = f"weft: {status} {phrase}: {details}\n" if error and status not in _BODILESS else ""
    lines = [f"HTTP/1.1 {status} {phrase}", f"Date: {formatdate(usegmt=True)}"]
    if text:
        lines.append("Content-Type: text/plain; charset=utf-8")
    if status not in (204, 304):
        lines.append(f"Content-Length: {len(text)}")
    if error:
        lines.append(f'Proxy-Status: weft; error={error}; details="{details}"')
    if request_id:
        lines.append(f"X-Request-Id: {request_id.decode('ascii')}")
    if reason.retry_after:
        lines.append(f"Retry-After: {reason.retry_after}")
    if close:
        lines.append("Connection: close")
    elif keep_alive:
        lines.append("Connection: keep-alive")
    head = "\r\n".join(lines).encode("ascii")
    return b"%b\r\n%b\r\n%b" % (head, fields, b"" if head_only else text.encode("ascii"))


def _phrase(status: int) -> str:
    """What a status is called; one that a policy made up may have no name."""
    return HTTPStatus(status).phrase if status in _NAMED else ""
