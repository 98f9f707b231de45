"""What is loaded: a URL, taken apart once, and the bytes of the request that is sent to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


class BadTarget(ValueError):
    """The URL, a header or the method cannot be sent; the message says what to write instead."""


@dataclass(frozen=True)
class Target:
    url: str
    host: str
    port: int
    request: bytes
    """Head and body, as sent every time."""
    head_only: bool = False


def parse_target(url: str, method: str = "GET", headers: Sequence[str] = (), body: bytes = b"") -> Target:
    """Read ``http://HOST[:PORT]/PATH``; `headers` are ``Name: value`` texts.  Raises `BadTarget`."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
    except ValueError as fault:
        raise BadTarget(f"{url}: {fault}") from None
    if parts.scheme != "http":
        raise BadTarget(f"{url}: only http:// is supported, not {parts.scheme}://")
    if not host:
        raise BadTarget(f"{url}: no host; write http://HOST:PORT/PATH")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1"]
    if not any(header.lower().startswith("host:") for header in headers):
        lines.append(f"Host: {parts.netloc.rpartition('@')[2]}")
    lines += headers
    if body:
        lines.append(f"Content-Length: {len(body)}")
    if bad := [line for line in lines if not line.isprintable() or not line.isascii()]:
        raise BadTarget(f"{bad[0]!r}: only printable ASCII can be sent")
    if bad := [header for header in headers if ":" not in header]:
        raise BadTarget(f"{bad[0]!r}: a header is written 'Name: value'")
    head = "\r\n".join([*lines, "", ""]).encode("ascii")
    return Target(url, host, port, head + body, head_only=method == "HEAD")
