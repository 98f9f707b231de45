"""The bearer token of the admin API (RFC 6750): in the state folder, so whoever may read that may also write.

It is made at every start.  A request that writes needs it, and must not come from a web page of another origin: a
browser names that in Origin (RFC 6454), and no tool of ours does.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from sidecar.errors import UserError

FILE: Final = "token"
BYTES: Final = 32


def new_token(state: Path) -> str:
    """Make a token and note it in the folder `state`.  Raises UserError if that cannot be written."""
    token = secrets.token_urlsafe(BYTES)
    path = state / FILE
    try:
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
    except OSError as error:
        raise UserError(f"the state folder {state} cannot be written ({error.strerror})") from None
    return token


def noted_token(state: Path) -> str:
    """That of the weft whose state folder this is.  Raises UserError if it cannot be read."""
    try:
        return (state / FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(
            f"{state / FILE} cannot be read ({reason}): writing needs the token of the running weft; "
            "--state DIR names its state folder, and of registries only those with --peers have one"
        ) from None


def may_write(token: str, authorization: str, origin: str, host: str) -> bool:
    """Whether the fields Authorization, Origin and Host of a request are those of one that may write."""
    scheme, _, given = authorization.partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
    own = not origin or origin.partition("://")[2] == host
    return same and own and scheme.lower() == "bearer"
