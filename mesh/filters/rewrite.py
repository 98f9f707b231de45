"""Rewrites (HTTPRoute's URLRewrite): the endpoint is asked for another path or by another name."""

from __future__ import annotations

from config.filters import RewritePolicy
from mesh.filters.edits import lines_named
from mesh.filters.place import Place, host_name

_HOST = lines_named(["Host"])


class Rewrite:
    __slots__ = ("_host", "_place")

    def __init__(self, policy: RewritePolicy, matched: bytes = b"") -> None:
        """`matched` is the part of the path that a `prefix` replaces.  Raises ValueError."""
        self._host = host_name(policy.host)
        self._place = Place(policy.path, policy.prefix, matched)

    def __call__(self, lines: bytes) -> bytes:
        """The lines of a request's head, rewritten."""
        if self._host:
            lines = _HOST.sub(b"", lines)
        line, _, fields = lines.partition(b"\r\n")
        method, target, version = line.split(b" ")
        head = b"%b %b %b\r\n" % (method, self._place(target), version)
        if self._host:
            return b"%bHost: %b\r\n%b" % (head, self._host, fields)
        return head + fields
