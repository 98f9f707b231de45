"""Paths as routing compares them (RFC 3986 sections 5.2.4 and 6.2.2): what two spellings of one path have in common.

The query is no part of it; escapes of unreserved characters are decoded and the others written in upper case; then
dot segments are removed.  ``//`` and ``%2F`` stay, because they are other paths to many servers.  None of this
changes what is sent on: that is what the client wrote.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PERCENT = ord("%")
_NOT_IN_PATHS = re.compile(rb"[^!-~]|[?#]")


def matched_path(target: bytes) -> bytes:
    """The path that rules are compared with; `target` is a path with or without a query, or ``*``."""
    path = target.partition(b"?")[0]
    if _PERCENT in path:
        path = _ESCAPE.sub(_decoded, path)
    return path if path.find(b"/.") < 0 else without_dots(path)  # `in` would take thrice as long


def rule_path(text: str) -> bytes:
    """The path of a rule, which people may write with characters that a request must escape.

    `matched_path` leaves it as it is.
    """
    escaped = _NOT_IN_PATHS.sub(lambda found: b"%%%02X" % found[0][0], text.encode())
    path = _ESCAPE.sub(_decoded, escaped)
    return without_dots(path) if b"/." in path else path


def without_dots(path: bytes) -> bytes:
    """`path` without ``.`` and ``..`` segments; it begins with a slash, and stays below the root."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def _decoded(escape: re.Match[bytes]) -> bytes:
    byte = int(escape[0][1:], 16)
    return bytes((byte,)) if byte in _UNRESERVED else escape[0].upper()
