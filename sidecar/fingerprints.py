"""The key of fingerprints: made at every start, kept in the state folder for the owner's eyes.

With it ``weft diff`` can tell whether a secret differs from the one in force, which the admin API does not show.
"""

from __future__ import annotations

import os
from pathlib import Path

from sidecar.errors import UserError
from sidecar.redaction import Hide, fingerprinted, hidden

FILE = "fingerprint-key"
BYTES = 32


def new_fingerprints(state: Path) -> Hide:
    """Make a key and note it in the folder `state`.  Raises UserError if that cannot be written."""
    key = os.urandom(BYTES)
    try:
        path = state / FILE
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
    except OSError as error:
        raise UserError(f"the state folder {state} cannot be written ({error.strerror})") from None
    return fingerprinted(key)


def noted_fingerprints(state: Path) -> Hide:
    """Those of the weft whose state folder this is; where its key cannot be read, values are merely hidden."""
    try:
        key = (state / FILE).read_bytes()
    except OSError:
        return hidden
    return fingerprinted(key) if len(key) == BYTES else hidden
