"""Which certificate a client is shown, or which Backend its bytes go to: by the server name that it asks for.

Precise names win over wildcards, which stand for exactly one label, as in Ingress rules.  What is asked for in
vain, or without a name, gets the default certificate.  The table is immutable; a handshake reads it once.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from config.meta import Named
from mesh.backend import Backend
from mesh.filters.chain import Filters


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A certificate, ready to be shown; what it holds of the key is OpenSSL's."""

    secret: Named
    """Empty names: made here."""
    names: tuple[str, ...]
    not_after: float
    """Seconds since 1970."""
    context: ssl.SSLContext = field(repr=False)


class Passage(NamedTuple):
    """Where a connection is relayed as it is: the handshake is with the endpoint."""

    backend: Backend
    filters: Filters | None = None
    """Of which those count that look at connections: who is let in, and where to."""


Target = Certificate | Passage


@dataclass(frozen=True, slots=True)
class ServerNames:
    exact: Mapping[str, Target] = field(default_factory=dict)
    wildcard: Mapping[str, Target] = field(default_factory=dict)
    """By what follows ``*.``."""
    default: Target | None = None
    """None: a name that is not known is refused."""

    def match(self, name: str) -> Target | None:
        """`name` is lower case; empty: the client did not say one."""
        return self.exact.get(name) or self.wildcard.get(name.partition(".")[2]) or self.default
