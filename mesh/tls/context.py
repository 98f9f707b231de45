"""OpenSSL contexts: what a handshake needs, made of the PEM texts of Secrets.

TLS 1.2 and 1.3, OpenSSL's list of ciphers as Python narrows it, HTTP/1.1 by ALPN (RFC 7301), tickets for
resumption, no renegotiation and no compression.
"""

from __future__ import annotations

import ssl
from typing import Final

from config.keypair import load

ALPN: Final = ["http/1.1"]


def server_context(chain: bytes, key: bytes) -> ssl.SSLContext:
    """For handshakes that show `chain`, a certificate and those that lead to its signer.  Raises `BadKeyPair`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 1  # each handshake brings the next; more take 3 % of its time
    context.set_alpn_protocols(ALPN)
    load(context, chain, key)
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
