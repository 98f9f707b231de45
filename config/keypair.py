"""Certificates with their keys (Secrets of type kubernetes.io/tls): given to OpenSSL, and what it finds wrong said.

Keys reach OpenSSL through memory that has no name in any file system; they are kept nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # what reads manifests without TLS need not load OpenSSL
    from ssl import SSLContext, SSLError

CERTIFICATE, KEY = "tls.crt", "tls.key"


class BadKeyPair(ValueError):
    """A certificate and key that cannot be used; the text says why, without quoting any of them."""

    def __init__(self, at: str, words: str) -> None:
        super().__init__(f"{at} {words}")
        self.at = at
        """The key of the Secret where the fault is."""
        self.words = words


def load(context: SSLContext, chain: bytes, key: bytes) -> None:
    """Have `context` show `chain`, a certificate and those that lead to its signer.  Raises `BadKeyPair`."""
    import ssl

    if b"ENCRYPTED" in key:
        raise BadKeyPair(KEY, "is encrypted: store it without a passphrase")
    if b"PRIVATE KEY-----" not in key:
        raise BadKeyPair(KEY, "holds no private key (-----BEGIN PRIVATE KEY-----)")
    if b"-----BEGIN CERTIFICATE-----" not in chain:
        raise BadKeyPair(CERTIFICATE, "holds no certificate (-----BEGIN CERTIFICATE-----)")
    with _in_memory(key.rstrip() + b"\n" + chain) as path:
        try:
            context.load_cert_chain(path, password="")
        except ssl.SSLError as error:
            raise _fault(error, chain) from None
        except OSError:
            raise BadKeyPair(KEY, "and tls.crt cannot be read by OpenSSL") from None


def problem(chain: bytes, key: bytes) -> BadKeyPair | None:
    """What is wrong with a pair, if anything."""
    import ssl

    try:
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), chain, key)
    except BadKeyPair as error:
        return error
    return None


@contextmanager
def _in_memory(pem: bytes) -> Iterator[str]:
    """A path of `pem` that only this process can follow, for as long as it is needed."""
    fd = os.memfd_create("weft", os.MFD_CLOEXEC)
    try:
        os.write(fd, pem)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


_MISMATCH: Final = (KEY, "does not belong to the first certificate of tls.crt")
_REASONS: Final = {
    "KEY_VALUES_MISMATCH": _MISMATCH,
    "KEY_TYPE_MISMATCH": _MISMATCH,
    "NO_CERTIFICATE_ASSIGNED": _MISMATCH,
    "EE_KEY_TOO_SMALL": (CERTIFICATE, "has a key that is too short to be safe (RSA: 2048 bits at least)"),
    "CA_MD_TOO_WEAK": (CERTIFICATE, "is signed with a digest that is no longer safe"),
}


def _fault(error: SSLError, chain: bytes) -> BadKeyPair:
    known = _REASONS.get(error.reason or "")
    if known:
        return BadKeyPair(*known)
    if not _is_readable(chain):
        return BadKeyPair(CERTIFICATE, "holds a certificate that cannot be read")
    return BadKeyPair(KEY, f"cannot be read by OpenSSL, or not used with tls.crt ({error.reason or 'no PEM'})")


def _is_readable(chain: bytes) -> bool:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=chain.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError):
        return False
    return True
