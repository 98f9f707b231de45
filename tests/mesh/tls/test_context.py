"""Contexts: what they are set to, and pairs that cannot be used, said without quoting them."""

from __future__ import annotations

import os
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mesh.tls.context import BadKeyPair, client_context, server_context, untrusting_context
from tests.certificates import Pair, authority, key_pem, pair

PAIR = pair("shop.example")
OTHER = key_pem(ec.generate_private_key(ec.SECP256R1()))
RSA = key_pem(rsa.generate_private_key(65537, 2048))
SHORT = authority().sign("shop.example", key=rsa.generate_private_key(65537, 1024))

BAD = {
    "another key": (PAIR.certificate, OTHER, "does not belong"),
    "another kind of key": (PAIR.certificate, RSA, "does not belong"),
    "no key": (PAIR.certificate, b"", "holds no private key"),
    "a key of nonsense": (
        PAIR.certificate, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot read",
    ),
    "an encrypted key": (
        PAIR.certificate, key_pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), "without a passphrase",
    ),
    "the chain the wrong way round": (authority().certificate + PAIR.certificate, PAIR.key, "does not belong"),
    "a certificate of nonsense": (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", PAIR.key, "cannot",
    ),
    "a short key": (SHORT.certificate, SHORT.key, "too short"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_pairs(case: str) -> None:
    chain, key, words = BAD[case]
    with pytest.raises(BadKeyPair, match=words) as caught:
        server_context(chain, key)
    for line in (*chain.splitlines()[1:-1], *key.splitlines()[1:-1]):
        assert line.decode() not in str(caught.value)


@pytest.mark.parametrize("good", [PAIR, authority().sign("a", key=rsa.generate_private_key(65537, 2048))])
def test_good_pairs(good: Pair) -> None:
    before = len(os.listdir("/proc/self/fd"))
    context = server_context(good.certificate.rstrip(), good.key.rstrip())
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert len(os.listdir("/proc/self/fd")) == before


def test_clients() -> None:
    assert client_context(None, verify=True).verify_mode == ssl.CERT_REQUIRED
    assert client_context(authority().certificate, verify=True).check_hostname
    assert len(client_context(authority().certificate * 2, verify=True).get_ca_certs()) == 1
    assert client_context(None, verify=False).verify_mode == ssl.CERT_NONE
    assert untrusting_context().get_ca_certs() == []


@pytest.mark.parametrize("authorities", [b"", b"garbage", b"\xff", PAIR.key])
def test_authorities_that_are_none(authorities: bytes) -> None:
    with pytest.raises(ValueError, match=r"ca\.crt holds no certificates"):
        client_context(authorities, verify=True)
