"""The registry's certificate: ``channel/tls.crt`` and ``tls.key`` in the state folder, made when there are none.

Nodes know it by its fingerprint, which their tokens carry: so nobody needs to sign it, and it does not expire for
them; whoever puts another pair there gives all nodes new tokens.
"""

from __future__ import annotations

import os
import ssl
import time
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from config.keypair import CERTIFICATE, KEY, BadKeyPair
from mesh.tls.context import server_context
from mesh.tls.selfmade import make
from sidecar.channel.credentials import FOLDER, locked
from sidecar.errors import UserError

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


class Pair(NamedTuple):
    """PEM texts."""

    chain: bytes
    key: bytes
    fingerprint: str
    """SHA-256 of the first certificate, hexadecimal."""

    def context(self) -> ssl.SSLContext:
        """For handshakes as the server, in TLS 1.3 only: both ends are weft."""
        context = server_context(self.chain, self.key)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context


def certificate(state: Path) -> Pair:
    """That of the state folder.  Raises UserError for one that cannot be used."""
    folder = state / FOLDER
    try:
        with locked(folder):
            if not (folder / CERTIFICATE).exists():
                _make(folder)
            chain, key = (folder / CERTIFICATE).read_bytes(), (folder / KEY).read_bytes()
        server_context(chain, key)
        return Pair(chain, key, _fingerprint(chain.decode("ascii", "replace")))
    except OSError as error:
        raise UserError(f"the channel's certificate in {folder} cannot be used ({error.strerror})") from None
    except (BadKeyPair, ValueError) as error:
        raise UserError(f"the channel's certificate in {folder}: {error}") from None


def _fingerprint(chain: str) -> str:
    first = chain[chain.index(_BEGIN) : chain.index(_END) + len(_END)]
    return sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


def _make(folder: Path) -> None:
    made = make(time.time())
    for name, text in ((KEY, made.key), (CERTIFICATE, made.certificate)):
        path = folder / name
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(text)
