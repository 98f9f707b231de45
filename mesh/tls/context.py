"""OpenSSL contexts: what a handshake needs, made of the PEM texts of Secrets.

TLS 1.2 and 1.3, OpenSSL's list of ciphers as Python narrows it, HTTP/1.1 by ALPN (RFC 7301), tickets for
resumption, no renegotiation and no compression.  Keys are given to OpenSSL through memory that has no name in any
file system; they are kept nowhere else.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

ALPN: Final = ["http/1.1"]


class BadKeyPair(ValueError):
    """A certificate and key that cannot be used; the text says why, without quoting any of them."""


def server_context(chain: bytes, key: bytes) -> ssl.SSLContext:
    """For handshakes that show `chain`, a certificate and those that lead to its signer.  Raises `BadKeyPair`."""
    if b"ENCRYPTED" in key:
        raise BadKeyPair("tls.key is encrypted: store it without a passphrase")
    if b"PRIVATE KEY-----" not in key:
        raise BadKeyPair("tls.key holds no private key (-----BEGIN PRIVATE KEY-----)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(ALPN)
    with _in_memory(key.rstrip() + b"\n" + chain) as path:
        try:
            context.load_cert_chain(path, password="")
        except ssl.SSLError as error:
            raise BadKeyPair(_words(error)) from None
        except OSError:
            raise BadKeyPair("OpenSSL cannot read the pair") from None
    return context


def untrusting_context() -> ssl.SSLContext:
    """For connections to endpoints, none of whose certificates will do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(ALPN)
    return context


def client_context(authorities: bytes | None, verify: bool) -> ssl.SSLContext:
    """For connections to endpoints, whose certificates `authorities` sign, or those of the system if None.

    Raises ValueError with a sentence if `authorities` is no PEM of certificates.
    """
    context = untrusting_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authorities is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(cadata=authorities.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise ValueError("ca.crt holds no certificates that OpenSSL can read") from None
    return context


@contextmanager
def _in_memory(pem: bytes) -> Iterator[str]:
    """A path of `pem` that only this process can follow, for as long as it is needed."""
    fd = os.memfd_create("weft", os.MFD_CLOEXEC)
    try:
        os.write(fd, pem)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


_REASONS: Final = {
    "KEY_VALUES_MISMATCH": "tls.key does not belong to the first certificate of tls.crt",
    "KEY_TYPE_MISMATCH": "tls.key does not belong to the first certificate of tls.crt",
    "NO_CERTIFICATE_ASSIGNED": "tls.key does not belong to the first certificate of tls.crt",
    "EE_KEY_TOO_SMALL": "the key of the certificate is too short to be safe (RSA: 2048 bits at least)",
    "CA_MD_TOO_WEAK": "the certificate is signed with a digest that is no longer safe",
}


def _words(error: ssl.SSLError) -> str:
    return _REASONS.get(
        error.reason or "", f"OpenSSL cannot read tls.key, or use the pair ({error.reason or 'no PEM'})"
    )
