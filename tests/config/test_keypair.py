"""Pairs of certificate and key: those that cannot be used, and where the fault is, said without quoting them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from config.keypair import problem
from tests.certificates import authority, key_pem, pair

PAIR = pair("shop.example")
OTHER = key_pem(ec.generate_private_key(ec.SECP256R1()))
RSA = key_pem(rsa.generate_private_key(65537, 2048))
SHORT = authority().sign("shop.example", key=rsa.generate_private_key(65537, 1024))

BAD = {
    "another key": (PAIR.certificate, OTHER, "tls.key", "does not belong"),
    "another kind of key": (PAIR.certificate, RSA, "tls.key", "does not belong"),
    "no key": (PAIR.certificate, b"", "tls.key", "holds no private key"),
    "a key of nonsense": (
        PAIR.certificate,
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "tls.key",
        "cannot be read",
    ),
    "an encrypted key": (
        PAIR.certificate,
        key_pem(ec.generate_private_key(ec.SECP256R1()), b"secret"),
        "tls.key",
        "without a passphrase",
    ),
    "the chain the wrong way round": (
        authority().certificate + PAIR.certificate,
        PAIR.key,
        "tls.key",
        "does not belong",
    ),
    "a certificate of nonsense": (
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        PAIR.key,
        "tls.crt",
        "cannot be read",
    ),
    "no certificate": (PAIR.key, PAIR.key, "tls.crt", "holds no certificate"),
    "a short key": (SHORT.certificate, SHORT.key, "tls.crt", "too short"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pairs(case: str) -> None:
    chain, key, at, words = BAD[case]
    before = len(os.listdir("/proc/self/fd"))
    fault = problem(chain, key)
    assert fault is not None
    assert (fault.at, words in fault.words, str(fault)) == (at, True, f"{at} {fault.words}")
    for line in (*chain.splitlines()[1:-1], *key.splitlines()[1:-1]):
        assert line.decode() not in str(fault)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_good_pair() -> None:
    assert problem(PAIR.certificate, PAIR.key) is None


def test_openssl_is_loaded_only_where_there_is_a_pair() -> None:
    script = "import sys, config.loader, config.validation; print('ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
