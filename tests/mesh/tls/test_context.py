"""Contexts: what they are set to, and authorities that are none."""

from __future__ import annotations

import os
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mesh.tls.context import client_context, server_context, untrusting_context
from tests.certificates import Pair, authority, pair

PAIR = pair("shop.example")


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
