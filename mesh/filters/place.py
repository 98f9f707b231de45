"""Places that rewrites and redirects lead to: another path, or another beginning of it (HTTPRoute's path modifiers).

Only the path changes; the query stays.  A beginning is replaced in the path as rules are compared with it, so that
no ``..`` leads out of what it was replaced by.
"""

from __future__ import annotations

import re

from mesh.paths import matched_path

_PATH = re.compile(rb"/[!-\"$->@-~]*")
_NAME = re.compile(rb"[A-Za-z0-9\-._:]+")


class Place:
    __slots__ = ("_length", "_path", "_prefix")

    def __init__(self, path: str, prefix: str, matched: bytes) -> None:
        """`path` replaces all of a path, `prefix` the part that a rule has `matched`, which ends in no slash;
        both empty: it stays.  Raises ValueError."""
        self._path = _checked(path)
        self._prefix = _checked(prefix)
        self._length = len(matched)

    def __call__(self, target: bytes) -> bytes:
        """The new target; ``*`` has no path, and stays."""
        if target[:1] != b"/":
            return target
        _, mark, query = target.partition(b"?")
        if self._path:
            return self._path + mark + query
        if self._prefix:
            path = self._prefix.rstrip(b"/") + matched_path(target)[self._length :]
            return (path or b"/") + mark + query
        return target


def _checked(path: str) -> bytes:
    encoded = path.encode()
    if path and not _PATH.fullmatch(encoded):
        raise ValueError(f"{path!r} is not a path")
    return encoded


def host_name(host: str) -> bytes:
    """A host as Host fields and URLs have it: IPv6 in brackets.  Raises ValueError."""
    encoded = host.encode()
    if host and not _NAME.fullmatch(encoded):
        raise ValueError(f"{host!r} is not a host")
    return b"[%b]" % encoded if b":" in encoded else encoded
