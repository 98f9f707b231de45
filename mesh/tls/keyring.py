"""The keyring: Secrets of type kubernetes.io/tls as certificates that can be shown.

A Secret that is the same object as before keeps its context, and with it the sessions that clients may resume.
One that cannot be used disables nothing but itself, and what it held before stays in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from config.meta import Named
from config.resources.core import Secret
from config.values import secret_value
from mesh.tls.context import server_context
from mesh.tls.names import Certificate
from mesh.x509 import facts


class Kept(NamedTuple):
    """What became of one Secret."""

    secret: Secret | None
    certificate: Certificate | None
    problem: str = ""


Keyring = Mapping[Named, Kept]


def kept(name: Named, secrets: Mapping[Named, Secret], before: Keyring) -> Kept:
    """The Secret `name` as it is now; `before` holds what was made of it earlier."""
    secret, known = secrets.get(name), before.get(name)
    if known is not None and known.secret is secret:
        return known
    if secret is None:
        return Kept(None, None, f"there is no Secret {name.name}")
    try:
        return Kept(secret, certificate(name, secret))
    except ValueError as error:
        problem = f"Secret {name.name}: {error}"
        if known is not None and known.certificate is not None:
            return Kept(secret, known.certificate, f"{problem}; the certificate that it held before stays in use")
        return Kept(secret, None, problem)


def certificate(name: Named, secret: Secret) -> Certificate:
    """Raises ValueError with a sentence that says what is wrong with the Secret."""
    chain, key = _value(secret, "tls.crt"), _value(secret, "tls.key")
    try:
        told = facts(chain)
    except ValueError as error:
        raise ValueError(f"tls.crt {error}") from None
    return Certificate(name, told.names, told.not_after, server_context(chain, key))


def _value(secret: Secret, key: str) -> bytes:
    try:
        value = secret_value(secret, key)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from None
    if value is None:
        raise ValueError(f"it has no key {key}")
    return value
