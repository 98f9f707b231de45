"""Why there is no connection, in words."""

from __future__ import annotations

import errno
from unittest.mock import Mock

import aiohttp
import pytest
from yarl import URL

from sidecar.channel.failures import words
from sidecar.channel.messages import Garbage

REQUEST = Mock(real_url=URL("https://127.0.0.1:1/"), host="127.0.0.1", port=1)


def refused(status: int) -> aiohttp.WSServerHandshakeError:
    return aiohttp.WSServerHandshakeError(REQUEST, (), status=status)


CASES = {
    "the wrong registry": (aiohttp.ServerFingerprintMismatch(b"a", b"b", "h", 1), "another certificate"),
    "no token": (refused(401), "it does not know this node's token"),
    "too many tries": (refused(429), "too often"),
    "another status": (refused(500), "it answers with status 500"),
    "nobody": (aiohttp.ClientConnectorError(REQUEST, OSError(errno.ECONNREFUSED, "no")), "(Connection refused)"),
    "no name": (aiohttp.ClientConnectorError(REQUEST, OSError(-2, "Name or service not known")), "not known"),
    "silence": (TimeoutError(), "it does not answer in time"),
    "garbage": (Garbage("a second welcome"), "a second welcome"),
    "no words at all": (ConnectionResetError(), "ConnectionResetError"),
}


@pytest.mark.parametrize("case", CASES)
def test_words(case: str) -> None:
    failure, expected = CASES[case]
    assert expected in words(ExceptionGroup("beside", [ExceptionGroup("within", [failure])]))
