"""Who may open the channel: a secret for each node, of which the registry keeps only a hash.

A token is what the node is given, ``NODE:SECRET:FINGERPRINT``; the fingerprint is that of the registry's certificate
(SHA-256), so that a node knows whom it talks to without any authority.  Secrets have 256 bits of chance, so a plain
SHA-256 of one tells nothing.  The file ``channel/nodes.json`` of the state folder is written by ``weft token`` while
the registry runs, which reads it again when it changes.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from config.naming import DNS_SUBDOMAIN
from discovery.assignments import replace_whole

FOLDER: Final = "channel"
FILE: Final = "nodes.json"
SECRET_BYTES: Final = 32
MOST_NODES: Final = 10_000
LARGEST_FILE: Final = 4 << 20
_NOBODY: Final = "0" * 64
"""Compared with when there is no such node, so that both take as long."""


class Token(NamedTuple):
    node: str
    secret: str
    fingerprint: str
    """SHA-256 of the server's certificate, hexadecimal."""

    def __str__(self) -> str:
        return ":".join(self)

    def __repr__(self) -> str:
        return f"Token({self.node!r}, ...)"

    @property
    def authorization(self) -> str:
        """The value of the header field by which a node says who it is."""
        return f"Bearer {self.node}:{self.secret}"


def parse_token(text: str) -> Token:
    """Raises ValueError with a sentence that does not quote it."""
    parts = text.strip().split(":")
    if len(parts) == 3 and all(parts) and DNS_SUBDOMAIN.problem(parts[0]) is None:
        try:
            if len(bytes.fromhex(parts[2])) == 32:
                return Token(*parts)
        except ValueError:
            pass  # said below
    raise ValueError("this is no token: `weft token create NODE`, where the registry runs, prints one")


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A credential."""

    hash: str
    """SHA-256 of the secret, hexadecimal."""
    created: str
    """RFC 3339."""
    runs: tuple[str, ...] = ()
    """``NAMESPACE/NAME`` of the Deployments that it may ask for, and with them for their Secrets."""


class Credentials:
    """The credentials in the state folder `state`."""

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER
        self._stamp: tuple[int, ...] = ()
        self._nodes: Mapping[str, Node] = {}

    def nodes(self) -> Mapping[str, Node]:
        """All of them, as they are now.  Raises OSError, and ValueError for a file that is not what it should be."""
        path = self._folder / FILE
        try:
            found = path.stat()
        except FileNotFoundError:
            return {}
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp != self._stamp:
            if found.st_size > LARGEST_FILE:
                raise ValueError(f"{path} is too large")
            try:
                self._nodes = msgspec.json.decode(path.read_bytes(), type=dict[str, Node])
            except msgspec.DecodeError as error:
                raise ValueError(f"{path} cannot be read: {error}") from None
            self._stamp = stamp
        return self._nodes

    def admitted(self, authorization: str) -> str | None:
        """The node that says who it is in this way; None: nobody that is known.  Raises as `nodes` does."""
        scheme, _, rest = authorization.partition(" ")
        name, _, secret = rest.partition(":")
        known = self.nodes().get(name)
        same = hmac.compare_digest(hashed(secret), known.hash if known else _NOBODY)
        return name if same and known and scheme.lower() == "bearer" else None

    def divided(self, node: str, runs: Iterable[str]) -> tuple[list[str], list[str]]:
        """Of the Deployments that `node` asks for those that it may have, and the others.  Raises as `nodes` does."""
        known = self.nodes().get(node)
        allowed = frozenset(known.runs if known else ())
        asked = sorted(set(runs))
        return [each for each in asked if each in allowed], [each for each in asked if each not in allowed]

    def create(self, node: str, now: str, runs: Iterable[str] = ()) -> str:
        """A new secret for `node`, whose last one is good no longer; `runs`: as `Node` has it.

        Raises OSError, ValueError.
        """
        if (problem := DNS_SUBDOMAIN.problem(node)) is not None:
            raise ValueError(problem)
        secret = urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
        self._change(lambda nodes: nodes | {node: Node(hashed(secret), now, tuple(sorted(set(runs))))})
        return secret

    def revoke(self, node: str) -> bool:
        """Forget `node`; False: there is none of that name.  Raises as `create` does."""
        known = node in self.nodes()
        self._change(lambda nodes: {name: each for name, each in nodes.items() if name != node})
        return known

    def _change(self, change: Callable[[dict[str, Node]], dict[str, Node]]) -> None:
        with locked(self._folder):
            nodes = change(dict(self.nodes()))
            if len(nodes) > MOST_NODES:
                raise ValueError(f"there are {MOST_NODES} nodes already: revoke those that are gone")
            replace_whole(self._folder / FILE, msgspec.json.format(msgspec.json.encode(nodes, order="sorted")))


def hashed(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone with `folder`, which is made if need be: the registry and ``weft token`` are two processes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
