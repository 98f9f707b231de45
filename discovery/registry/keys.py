"""Keys of TSIG, and what each of them may do (RFC 8945 section 4.2).

A secret is only ever used to compute a MAC: it is not in the text of a key nor in that of an error.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from discovery.registry.content import parent
from discovery.registry.wire import Labels, from_text, to_wire

ALGORITHMS: Final = {"hmac-sha256": 32, "hmac-sha512": 64}
"""Bytes of a MAC of each."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that two sides share; its name and its algorithm are part of it."""

    name: Labels
    algorithm: str
    """One of `ALGORITHMS`."""
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"{self.algorithm!r} is none of {', '.join(ALGORITHMS)}")
        to_wire(self.name)

    @property
    def size(self) -> int:
        """Bytes of a MAC."""
        return ALGORITHMS[self.algorithm]


def parse_key(text: str) -> Key:
    """A key as ``nsupdate -y`` and ``dig -y`` take it: ``[ALGORITHM:]NAME:BASE64``.  Raises ValueError."""
    parts = text.strip().split(":")
    algorithm, name, secret = parts if len(parts) == 3 else ("hmac-sha256", *parts) if len(parts) == 2 else ("", "", "")
    if not name:
        raise ValueError("a key is written ALGORITHM:NAME:SECRET, the secret in base64")
    try:
        decoded = b64decode(secret, validate=True)
    except ValueError:
        decoded = b""
    if not decoded:
        raise ValueError(f"the secret of the key {name!r} is empty or no base64")
    return Key(from_text(name), algorithm.lower(), decoded)


class Scope(NamedTuple):
    """What somebody may do."""

    suffixes: tuple[bytes, ...] = ()
    """Names that may be written, with all beneath them: wire bytes in lower case; ``b"\\0"`` stands for all."""
    transfers: bool = False

    def may_write(self, name: bytes) -> bool:
        """Whether records of `name` (wire bytes, lower case) may be changed."""
        while name not in self.suffixes:
            if name == b"\0":
                return False
            name = parent(name)
        return True


NOTHING: Final = Scope()
EVERYTHING: Final = Scope((b"\0",), transfers=True)


class KeyRing:
    """The keys that are known here, each with its scope."""

    def __init__(self, scopes: Iterable[tuple[Key, Scope]] = ()) -> None:
        self._scopes = {key.name: (key, scope) for key, scope in scopes}
        self.keys: dict[Labels, Key] = {name: key for name, (key, _) in self._scopes.items()}
        """By name, as `tsig.verify` takes them."""

    def scope(self, key: Key | None, loopback: bool) -> Scope:
        """What the signer of a message may do; None: it was not signed.

        Without keys, whoever asks from this machine (`loopback`) may do all; others, and the unsigned where there
        are keys, may write nothing.
        """
        if key is None:
            return EVERYTHING if loopback and not self.keys else NOTHING
        known, scope = self._scopes.get(key.name, (None, NOTHING))
        return scope if known == key else NOTHING
