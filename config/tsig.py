"""Keys that DNS messages are signed with (TSIG), in Secrets as ``tsig-keygen`` names their parts."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from config.meta import Named
from config.naming import shown
from config.resources.core import Secret
from config.values import secret_value

ALGORITHMS = ("hmac-sha256", "hmac-sha224", "hmac-sha384", "hmac-sha512")
_PARTS = ("name", "algorithm", "secret")


class TsigKey(msgspec.Struct, frozen=True):
    name: str
    algorithm: str
    secret: str
    """Base64, as ``tsig-keygen`` prints it."""


def read_key(named: Named, secrets: Mapping[Named, Secret]) -> TsigKey:
    """The key in a Secret.  Raises ValueError with a sentence if it cannot be had."""
    secret = secrets.get(named)
    if secret is None:
        raise ValueError(f"there is no Secret {shown(named.name)} in namespace {shown(named.namespace)}")
    values = {part: (secret_value(secret, part) or b"").decode("utf-8", "replace").strip() for part in _PARTS}
    if not values["name"] or not values["secret"]:
        raise ValueError(f"Secret {shown(named.name)} needs the keys name and secret, as tsig-keygen prints them")
    algorithm = values["algorithm"].lower() or ALGORITHMS[0]
    if algorithm not in ALGORITHMS:
        raise ValueError(f"the algorithm in Secret {shown(named.name)} is none of {', '.join(ALGORITHMS)}")
    return TsigKey(values["name"], algorithm, values["secret"])
