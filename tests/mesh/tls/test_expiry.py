"""The end of certificates, told in time."""

from __future__ import annotations

import pytest

from config.meta import Named
from mesh.exposition import Sample
from mesh.status import CertificateStatus
from mesh.tls.expiry import SOON, families, remarks
from mesh.tls.keyring import Kept, kept
from tests.certificates import pair

END = 1_800_000_000.0
CERTIFICATE = CertificateStatus("shop-tls", ("shop.example",), END)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (END - SOON - 1, []),
        (END - SOON, ["the certificate in Secret shop-tls expires 2027-01-15 08:00 UTC"]),
        (END, ["the certificate in Secret shop-tls expired 2027-01-15 08:00 UTC"]),
    ],
)
def test_remarks(now: float, said: list[str]) -> None:
    assert list(remarks([CERTIFICATE], now)) == said


def test_metrics() -> None:
    name = Named("default", "shop-tls")
    held = kept(name, {name: pair("shop.example").secret()}, {})
    assert held.certificate is not None
    (family,) = families({name: held, Named("default", "broken"): Kept(None, None, "no")})
    assert family.name == "weft_tls_certificate_not_after_seconds"
    assert list(family.samples) == [
        Sample(family.name, {"namespace": "default", "secret": "shop-tls"}, held.certificate.not_after)
    ]
    assert list(families({})) == []
