"""Redirects (RFC 9110 section 15.4): an answer that sends the client elsewhere.

Location is always a whole URL, so that no path that begins with ``//`` names another host.
"""

from __future__ import annotations

import re
from typing import Final

from config.filters import RedirectPolicy
from mesh.filters.place import Place, host_name
from mesh.filters.query import Query, Reply
from mesh.reasons import Reason

PORTS: Final = {b"http": 80, b"https": 443}

_AUTHORITY = re.compile(rb"(.*?)(?::([0-9]*))?")


class Redirect:
    __slots__ = ("_host", "_place", "_port", "_reason", "_scheme")

    def __init__(self, policy: RedirectPolicy, matched: bytes = b"") -> None:
        """`matched` is the part of the path that a `prefix` replaces.  Raises ValueError."""
        self._scheme = (policy.scheme or "").encode()
        self._host = host_name(policy.host)
        self._port = policy.port
        self._place = Place(policy.path, policy.prefix, matched)
        self._reason = Reason(policy.status, "", "redirected by a policy")

    def __call__(self, query: Query) -> Reply | None:
        scheme = self._scheme or (b"https" if query.secure else b"http")
        asked = _AUTHORITY.fullmatch(query.host)
        assert asked is not None  # it matches anything
        host = self._host or asked[1]
        port = self._port or (0 if self._scheme else int(asked[2] or 0))
        at = b":%d" % port if port not in (0, PORTS[scheme]) else b""
        target = self._place(query.target)
        path = target if target[:1] == b"/" else b"/"
        return Reply(self._reason, fields=b"Location: %b://%b%b%b\r\n" % (scheme, host, at, path))


class SecureRedirect:
    """Sends what came without TLS to https, with 308: the method and the body are sent there again."""

    __slots__ = ("_redirect",)

    def __init__(self, port: int = 443) -> None:
        self._redirect = Redirect(RedirectPolicy(scheme="https", port=port, status=308))

    def __call__(self, query: Query) -> Reply | None:
        return None if query.secure else self._redirect(query)
