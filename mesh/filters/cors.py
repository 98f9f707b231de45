"""CORS (the Fetch standard, section 3.3): which pages of other origins may read what is answered.

Preflights are answered here.  In other responses the fields that grant something are those of the policy alone:
what the endpoint says itself is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from config.filters import CORSPolicy
from mesh.filters.edits import Field, field_line, lines_named
from mesh.filters.query import Query, Reply
from mesh.reasons import Reason

_PREFLIGHT = Reason(204, "", "a preflight")
_ORIGIN = Field("Origin")
_METHOD = Field("Access-Control-Request-Method")
_HEADERS = Field("Access-Control-Request-Headers")
_TOKENS = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z, \t]+")
_GRANTS = lines_named(
    ["Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"]
)
_VARY = b"Vary: Origin\r\n"


class CORS:
    __slots__ = ("_allowed", "_any", "_credentials", "_exposed", "_headers", "_max_age", "_methods")

    def __init__(self, policy: CORSPolicy) -> None:
        """Raises ValueError."""
        self._any = "*" in policy.allow_origins
        self._allowed = re.compile(b"|".join(_pattern(origin) for origin in policy.allow_origins)).fullmatch
        self._credentials = b"Access-Control-Allow-Credentials: true\r\n" if policy.allow_credentials else b""
        self._exposed = _listed("Access-Control-Expose-Headers", policy.expose_headers)
        self._methods = _Granted("Access-Control-Allow-Methods", policy.allow_methods)
        self._headers = _Granted("Access-Control-Allow-Headers", policy.allow_headers)
        self._max_age = b"Access-Control-Max-Age: %d\r\n" % policy.max_age

    def __call__(self, query: Query) -> Reply | None:
        """The answer to a preflight; a page that is not allowed anything is not told what others are."""
        if query.method != b"OPTIONS":
            return None
        origin, method = _ORIGIN(query.lines), _METHOD(query.lines)
        if origin is None or method is None:
            return None
        if not self._allowed(origin):
            return Reply(_PREFLIGHT)
        headers = self._headers(_HEADERS(query.lines))
        return Reply(_PREFLIGHT, fields=self._methods(method) + headers + self._max_age)

    def response(self, query: Query, lines: bytes) -> bytes:
        """The lines of a response's head to `query`, with what it grants to the page that asked."""
        return _GRANTS.sub(b"", lines) + self._grants(query)

    def _grants(self, query: Query) -> bytes:
        if self._any:
            return b"Access-Control-Allow-Origin: *\r\n" + self._exposed
        origin = _ORIGIN(query.lines)
        if origin is None or not self._allowed(origin):
            return _VARY
        return b"Access-Control-Allow-Origin: %b\r\n%b%b%b" % (origin, self._credentials, self._exposed, _VARY)


class _Granted:
    """The field of a preflight's answer that lists what may be used; ``*``: whatever was asked for."""

    __slots__ = ("_line", "_name")

    def __init__(self, name: str, values: Sequence[str]) -> None:
        self._name = name.encode()
        self._line = None if "*" in values else _listed(name, values)

    def __call__(self, asked: bytes | None) -> bytes:
        if self._line is not None:
            return self._line
        return b"%b: %b\r\n" % (self._name, asked) if asked and _TOKENS.fullmatch(asked) else b""


def _pattern(origin: str) -> bytes:
    if origin == "*":
        return rb"[!-~]+"
    scheme, _, rest = origin.partition("://")
    wild = rest.startswith("*.")
    name = re.escape(rest[2:] if wild else rest).encode()
    return re.escape(scheme).encode() + rb"://" + (rb"(?:[a-z0-9_-]+\.)+" if wild else b"") + name


def _listed(name: str, values: Sequence[str]) -> bytes:
    return field_line(name, ", ".join(values)) if values else b""
