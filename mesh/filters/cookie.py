"""Session cookies: who comes without the cookie that a balancer picks by is given one, and picked for by it at once.

So the answer to the first request comes from the endpoint that the later ones go to.  The value is drawn by lot and
means nothing: which endpoint it leads to is the balancer's to say, and may change when endpoints do.  The endpoint
does not see it before the client sends it back (RFC 6265 section 4.1).
"""

from __future__ import annotations

from collections.abc import Callable

from config.balancing import CookieIssue, HashKey
from mesh.balancing.key import key_of
from mesh.filters.query import Query


class Cookie:
    __slots__ = ("_attributes", "_find", "_name")

    def __init__(self, key: HashKey, issue: CookieIssue) -> None:
        """`key` names a cookie."""
        self._find = key_of(key)
        self._name = key.cookie.encode()
        attributes = [f"; Path={issue.path}"]
        if issue.ttl:
            attributes.append(f"; Max-Age={max(int(issue.ttl), 1)}")
        attributes += ["; HttpOnly"] if issue.http_only else []
        attributes += ["; Secure"] if issue.secure else []
        self._attributes = "".join([*attributes, f"; SameSite={issue.same_site}\r\n"]).encode("ascii")

    def new(self, lines: bytes, chance: Callable[[], float]) -> bytes:
        """A value for the sender of a request with these `lines`; empty: it has one.  `chance` gives 0 to below 1."""
        if self._find is not None and self._find(lines, ""):
            return b""
        return b"%014x" % int(chance() * 2**53)

    def response(self, query: Query, lines: bytes) -> bytes:
        """The lines of a response's head to `query`, with the cookie if its sender is given one."""
        if not query.key:
            return lines
        return b"%bSet-Cookie: %b=%b%b" % (lines, self._name, query.key, self._attributes)
