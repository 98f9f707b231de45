"""What became of an object: plain data for ``weft status`` and the API, made while compiling."""

from __future__ import annotations

from typing import Literal

import msgspec

from mesh.table import AppProtocol, ListenerKey

State = Literal["accepted", "degraded", "pending"]
"""All of it is in force; a part of it is; nothing of it is, for now."""


class PortStatus(msgspec.Struct, frozen=True, gc=False):
    """One port of a Service; `listens` are the addresses wanted, which may be bound elsewhere or not yet."""

    port: str
    """Its name, else its number as text."""
    protocol: AppProtocol
    listens: tuple[ListenerKey, ...] = ()


class CertificateStatus(msgspec.Struct, frozen=True, gc=False):
    """A certificate that clients are shown."""

    secret: str
    names: tuple[str, ...]
    not_after: float
    """Seconds since 1970."""


class ObjectStatus(msgspec.Struct, frozen=True, gc=False):
    state: State
    reasons: tuple[str, ...] = ()
    """Why it is not all in force, as sentences without a full stop."""
    ports: tuple[PortStatus, ...] = ()
    """Of a Service or Ingress."""
    certificates: tuple[CertificateStatus, ...] = ()
    """Of an Ingress, from its Secrets."""


ACCEPTED = ObjectStatus("accepted")
