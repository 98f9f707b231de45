"""Protocol detection: what a client speaks, told from its first bytes, for ports that do not say.

Only HTTP/1 is to be recognised with certainty, for everything else is relayed as it is.  Its first line is a
method token, a space and a target (RFC 9112 section 3): a target begins with ``/`` or ``*``, or is a URI with
the scheme http or https, or follows CONNECT.  Looser rules would catch memcached's ``get key``, SIP and RTSP.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Verdict = Literal["http", "http2", "tls", "tcp", "more"]

ENOUGH: Final = 64
"""Bytes after which there is always a verdict."""
_PREFACE: Final = b"PRI * HTTP/2.0\r\n"
"""Of the HTTP/2 connection preface (RFC 9113 section 3.4)."""
_TLS: Final = b"\x16\x03"
"""A handshake record, and the major version of all TLS there is (RFC 8446 section 5.1)."""
_REQUEST: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} (?:[/*]|(?i:https?://))|CONNECT [^\r\n]")
_BEGUN: Final = re.compile(
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{0,32}|[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32} (?i:h(?:t(?:t(?:p(?:s?(?::(?:/)?)?)?)?)?)?)?"
)


def detect(prefix: bytes) -> Verdict:
    """What begins with `prefix`; ``more``: that cannot be told yet."""
    data = prefix.lstrip(b"\r\n")  # empty lines may come before a request (RFC 9112 section 2.2)
    if _PREFACE.startswith(data[: len(_PREFACE)]):
        return "http2" if len(data) >= len(_PREFACE) else _unless_enough(prefix)
    if _TLS.startswith(prefix[:2]):
        return "tls" if len(prefix) >= 2 else "more"
    if _REQUEST.match(data):
        return "http"
    return _unless_enough(prefix) if _BEGUN.fullmatch(data) else "tcp"


def _unless_enough(prefix: bytes) -> Verdict:
    return "more" if len(prefix) < ENOUGH else "tcp"
