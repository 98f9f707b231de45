"""Questions for a difference that came before, word for word: all secondaries ask the same after a change.

What is at hand is the answer that the first of them got.  Another question of the same bytes, signed by a key that may
have the zone, gets it with an id and a signature of its own, and is not read.
"""

from __future__ import annotations

from typing import Final

from discovery.registry import tsig
from discovery.registry.asked import Asked
from discovery.registry.keys import Key, KeyRing
from discovery.registry.transfer import Served

KEPT: Final = 64
"""Answers that are kept."""


class Repeated:
    """The answers of the last questions by UDP that were signed."""

    def __init__(self, keys: KeyRing) -> None:
        self._answers: dict[tuple[int, bytes], tuple[Served, int, bytes]] = {}
        """By the room that a signature needs, and a question without id and signature: the serial that the answer
        leads to, and the answer without its id."""
        self.admit(keys)

    def admit(self, keys: KeyRing) -> None:
        """These are the keys now."""
        known = [key for key in keys.keys.values() if keys.scope(key, loopback=False).transfers]
        self._keys: dict[bytes, Key] = {key.head: key for key in known}
        self._sizes = frozenset((len(key.head), tsig.size(key)) for key in known)
        """Of the beginnings of signatures, and of whole ones."""
        self._answers.clear()

    def put(self, asked: Asked, primary: Served, answer: bytes) -> None:
        """`asked` gets this, to which an id is added and a signature."""
        if asked.verified is None or asked.stream is not None:
            return
        if len(self._answers) >= KEPT:
            self._answers.clear()
        self._answers[asked.room_for_signature, asked.message[2:]] = primary, primary.content.serial, answer

    def answer(self, message: bytes, now: float) -> bytes | None:
        """The signed answer to a signed question; None: it is to be read.  `now`: seconds since 1970."""
        key = self._key(message) if self._answers else None
        opened = None if key is None else tsig.open_usual(message, key, now)
        if key is None or opened is None:
            return None
        question, mac, _ = opened
        primary, serial, answer = self._answers.get((tsig.room(key), question[2:]), (None, 0, b""))
        if primary is None or primary.content.serial != serial:
            return None
        return tsig.sign(message[:2] + answer, key, now, mac)[0]

    def _key(self, message: bytes) -> Key | None:
        """That of a signature at the end, if it is a usual one of a known key."""
        for head, size in self._sizes:
            at = len(message) - size
            key = self._keys.get(message[at : at + head]) if at > 0 else None
            if key is not None:
                return key
        return None
