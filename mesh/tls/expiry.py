"""When certificates end: told in time, in the status of the Ingresses that show them and in the metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from mesh.exposition import Family, Sample
from mesh.status import CertificateStatus
from mesh.tls.keyring import Keyring

SOON: Final = 14 * 86_400.0
"""Seconds before its end in which a certificate is spoken of."""


def remarks(certificates: Iterable[CertificateStatus], now: float) -> Iterator[str]:
    """What is to be said at `now`, in seconds since 1970."""
    for each in certificates:
        if each.not_after <= now + SOON:
            verb = "expired" if each.not_after <= now else "expires"
            day = datetime.fromtimestamp(each.not_after, UTC).strftime("%Y-%m-%d %H:%M UTC")
            yield f"the certificate in Secret {each.secret} {verb} {day}"


def families(keyring: Keyring) -> Iterator[Family]:
    """The end of each certificate that comes from a Secret; none at all where no Ingress asks for TLS."""
    name = "weft_tls_certificate_not_after_seconds"
    samples = [
        Sample(name, {"namespace": secret.namespace, "secret": secret.name}, kept.certificate.not_after)
        for secret, kept in keyring.items()
        if kept.certificate is not None
    ]
    if samples:
        yield Family(name, "gauge", "When the certificate in a Secret expires, in seconds since 1970.", samples)
