"""Rules of an entrance: a host, a path, and what they lead to (networking.k8s.io/v1 Ingress).

A rule is plain data that can be compared; `mesh.matcher` puts many of them in places where they are found at once.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

from mesh.paths import rule_path

T = TypeVar("T")

PathKind = Literal["Exact", "Prefix", "Default"]
"""Default: what a host's requests go to that meet no rule."""


class Rule(msgspec.Struct, Generic[T], frozen=True):
    """One path of one host, and what it leads to; see `rule` for how to make one."""

    host: str
    """Lower case; ``*.`` and a name; or empty: any host."""
    path: str
    """As written; empty for a default."""
    kind: PathKind
    owner: str
    """Whose rule it is, in words."""
    to: T
    key: bytes = b""
    """The path as requests are compared with it; a Prefix is without the slash at its end, and ``/`` is empty."""

    def __str__(self) -> str:
        return f"{self.kind} {self.host or '*'}{self.path}"


def rule(host: str, path: str, kind: PathKind, owner: str, to: T) -> Rule[T]:
    """A rule; `path` begins with ``/``, or is empty for a Default."""
    key = rule_path(path)
    return Rule(host.lower(), path, kind, owner, to, key.removesuffix(b"/") if kind == "Prefix" else key)


class Loss(msgspec.Struct, Generic[T], frozen=True):
    """A rule that no request can meet, and the one that has its place."""

    loser: Rule[T]
    winner: Rule[T]
