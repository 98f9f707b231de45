"""The default certificate: made here, judged by another implementation."""

from __future__ import annotations

import ssl
import time
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from mesh.tls import selfmade
from mesh.tls.selfmade import NAME, SECONDS, N, default_certificate, make, multiply, sign
from mesh.x509 import facts

SOME = [1, 2, 3, 4, 5, 7, 8, N - 1, N - 2, N >> 1, 2**255]
SOME += [int.from_bytes(sha256(bytes([n])).digest()) % N for n in range(5)]


@pytest.mark.parametrize("factor", SOME)
def test_multiplying(factor: int) -> None:
    numbers = ec.derive_private_key(factor, ec.SECP256R1()).public_key().public_numbers()
    assert multiply(factor) == (numbers.x, numbers.y)


@pytest.mark.parametrize("key", SOME)
def test_signing(key: int) -> None:
    public = ec.derive_private_key(key, ec.SECP256R1()).public_key()
    public.verify(encode_dss_signature(*sign(key, b"message")), b"message", ec.ECDSA(hashes.SHA256()))


def test_the_certificate() -> None:
    now = time.time()
    made = make(now)
    certificate = x509.load_pem_x509_certificate(made.certificate)
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_after_utc.timestamp() == int(now + SECONDS)
    assert certificate.not_valid_before_utc.timestamp() == int(now - 3600)
    assert facts(made.certificate).names == (NAME,)
    key = serialization.load_pem_private_key(made.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == certificate.public_key()


def test_openssl_takes_it_and_each_is_another() -> None:
    one, other = default_certificate(), default_certificate()
    assert isinstance(one.context, ssl.SSLContext)
    assert one is not other
    assert make(0).key != make(0).key


def test_it_is_made_within_a_moment() -> None:
    took = []
    for _ in range(5):
        began = time.process_time()
        selfmade.make(0)
        took.append(time.process_time() - began)
    assert min(took) < 0.1
