"""Keys of TSIG, and what each of them may do (RFC 8945 section 4.2).

A secret is only ever used to compute a MAC: it is not in the text of a key nor in that of an error.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from discovery.registry.content import parent
from discovery.registry.wire import ANY, TSIG, Labels, from_text, to_wire

if TYPE_CHECKING:
    from hashlib import _Hash

ALGORITHMS: Final = {"hmac-sha256": 32, "hmac-sha512": 64}
"""Bytes of a MAC of each."""
_HASHES: Final = {"hmac-sha256": hashlib.sha256, "hmac-sha512": hashlib.sha512}
_FIXED_BYTES: Final = 16
"""Of a TSIG record's data beside algorithm and MAC, when it has no other data (RFC 8945 section 4.2)."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that two sides share; its name and its algorithm are part of it."""

    name: Labels
    algorithm: str
    """One of `ALGORITHMS`."""
    secret: bytes = field(repr=False)
    size: int = field(init=False, repr=False, compare=False)
    """Bytes of a MAC."""
    owner: bytes = field(init=False, repr=False, compare=False)
    """The name as wire bytes."""
    variables: bytes = field(init=False, repr=False, compare=False)
    """What a MAC covers before the time: the key, class and TTL of its record, and the algorithm."""
    head: bytes = field(init=False, repr=False, compare=False)
    """What a record with a whole MAC, and no other data, begins with, up to the time."""
    inner: _Hash = field(init=False, repr=False, compare=False)
    outer: _Hash = field(init=False, repr=False, compare=False)
    """Both halves of HMAC (RFC 2104 section 2), which have taken in the secret: a message is added to a copy."""

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"{self.algorithm!r} is none of {', '.join(ALGORITHMS)}")
        made, size = _HASHES[self.algorithm], ALGORITHMS[self.algorithm]
        name, algorithm = to_wire(self.name), to_wire((self.algorithm.encode(),))
        fixed = ANY.to_bytes(2, "big") + bytes(4)
        length = (len(algorithm) + _FIXED_BYTES + size).to_bytes(2, "big")
        block = made().block_size
        secret = (made(self.secret).digest() if len(self.secret) > block else self.secret).ljust(block, b"\0")
        keep = object.__setattr__
        keep(self, "size", size)
        keep(self, "owner", name)
        keep(self, "variables", name + fixed + algorithm)
        keep(self, "head", name + TSIG.to_bytes(2, "big") + fixed + length + algorithm)
        keep(self, "inner", made(bytes(byte ^ 0x36 for byte in secret)))
        keep(self, "outer", made(bytes(byte ^ 0x5C for byte in secret)))

    def mac(self, covered: bytes) -> bytes:
        """The HMAC of what is covered."""
        inner = self.inner.copy()
        inner.update(covered)
        return self.mac_of(inner)

    def mac_of(self, taken: _Hash) -> bytes:
        """The HMAC of what a copy of `inner` has taken in."""
        outer = self.outer.copy()
        outer.update(taken.digest())
        return outer.digest()


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

    def __init__(self, scopes: Iterable[tuple[Key, Scope]] = (), *, closed: bool = False) -> None:
        """`closed`: there are to be keys, though none of them is here; whoever has none may do nothing."""
        self._scopes = {key.name: (key, scope) for key, scope in scopes}
        self.keys: dict[Labels, Key] = {name: key for name, (key, _) in self._scopes.items()}
        """By name, as `tsig.verify` takes them."""
        self.is_open = not (self.keys or closed)
        """Whether this machine may do all without a key."""

    def scope(self, key: Key | None, loopback: bool) -> Scope:
        """What the signer of a message may do; None: it was not signed.

        Without keys, whoever asks from this machine (`loopback`) may do all; others, and the unsigned where there
        are keys, may write nothing.
        """
        if key is None:
            return EVERYTHING if loopback and self.is_open else NOTHING
        known, scope = self._scopes.get(key.name, (None, NOTHING))
        return scope if known == key else NOTHING
