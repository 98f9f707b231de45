"""What a filter is asked, and what it may answer in the endpoint's place."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from mesh.reasons import Reason


class Query(NamedTuple):
    """A request as filters see it."""

    method: bytes
    target: bytes
    """A path with or without a query, or ``*``."""
    host: bytes
    """With the port, if the client named one."""
    length: int
    """Bytes of body; negative: not known."""
    lines: bytes
    """Request line and field lines as they are to be sent, each ended by CRLF; the empty line is not there."""
    client: str
    """The client's address."""
    now: float
    """Monotonic seconds."""
    secure: bool = False
    """It came over TLS."""
    key: bytes = b""
    """By which it is picked for, if it came without one and is given it."""


plain_query = partial(tuple.__new__, Query)
"""The constructor of a named tuple is Python code; this is not."""


class Reply(NamedTuple):
    """An answer in the endpoint's place."""

    reason: Reason
    """Without an error type: nothing went wrong, and the answer has no body."""
    details: str = ""
    """What the client is told; ASCII without quotes, backslashes and control characters."""
    fields: bytes = b""
    """Field lines, each ended by CRLF."""


def target_of(lines: bytes) -> bytes:
    """The request target in a request line."""
    start = lines.index(b" ") + 1
    return lines[start : lines.index(b" ", start)]
