"""What a client is told whose request no rule of an Ingress takes: what was looked for, and nothing of what is served.

The words go into a header field and a text, so whatever could end or break out of either is escaped, as in a URL.
"""

from __future__ import annotations

import re
from typing import Final

from mesh.paths import matched_path

LONGEST_SHOWN: Final = 100
"""Bytes of host and of path that are repeated to the client."""

_UNSAFE = re.compile(rb"[^!#-;=?-\[\]-~]")
"""All that is not visible ASCII, and ``"``, ``<``, ``>`` and the backslash."""


def looked_for(host: bytes, target: bytes) -> str:
    """The details of the answer 404: the host, and the path as rules are compared with it, without the query."""
    return f"nothing is served here for host {_shown(host)} and path {_shown(matched_path(target))}"


def _shown(value: bytes) -> str:
    cut = value[:LONGEST_SHOWN]
    text = _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], cut).decode("ascii")
    return text + "..." if len(cut) < len(value) else text or "(none)"
