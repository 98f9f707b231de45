"""Why there is no connection to a registry, in words for whoever runs the node."""

from __future__ import annotations

import os
from typing import Final

import aiohttp


def words(failures: BaseExceptionGroup[BaseException]) -> str:
    """The first of them."""
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if isinstance(first, aiohttp.ServerFingerprintMismatch):
        return "it shows another certificate than this node's token names"
    if isinstance(first, aiohttp.WSServerHandshakeError):
        return _STATUSES.get(first.status, f"it answers with status {first.status}")
    if isinstance(first, TimeoutError):
        return "it does not answer in time"
    if isinstance(first, aiohttp.ClientSSLError):
        return f"no TLS with what answers there ({first.os_error})"
    if isinstance(first, aiohttp.ClientConnectorError):
        code = first.errno or 0
        return f"it cannot be reached ({os.strerror(code) if code > 0 else first.os_error})"
    return str(first) or type(first).__name__


_STATUSES: Final = {
    401: "it does not know this node's token: make a new one there (weft token create), and start this with it",
    404: "what answers there is no channel",
    429: "it was tried with wrong tokens too often from this address",
}
