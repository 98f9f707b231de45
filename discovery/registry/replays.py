"""What was asked already: a message that comes again gets the same answer and changes nothing.

Whoever gets no answer sends the same bytes again (RFC 2136 section 4.6 warns of it), and whoever listens in could do
so too.  A signed message is known by its MAC for as long as its time is one that is accepted.  When there are too
many, the oldest are forgotten first, and with them goes whatever that signer signed before: it may be new or not,
nobody can tell, so it is refused as too old (RFC 8945 section 5.2.3).
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum, auto
from typing import Final, NamedTuple

from discovery.registry.tsig import FUDGE_SECONDS

SIGNED_SECONDS: Final = 2 * FUDGE_SECONDS
"""A message may come that long before its time runs out."""
UNSIGNED_SECONDS: Final = 10.0
MOST: Final = 8192


class Arrival(Enum):
    """What a message is that is not to be answered by the same bytes as before."""

    NEW = auto()
    """To be carried out; then `answered` or `failed` is called."""
    PENDING = auto()
    """It is being carried out: the answer to the first will do."""
    TOO_OLD = auto()
    """To be refused with BADTIME."""


class _Seen(NamedTuple):
    until: float
    signer: bytes
    signed: int
    answer: bytes | None


class Replays:
    """The messages of the last `seconds`, at most `most`."""

    def __init__(self, seconds: float = SIGNED_SECONDS, most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        """In the order of arrival."""
        self._forgotten: dict[bytes, int] = {}
        """By signer: when the newest of those was signed that are forgotten."""

    def __len__(self) -> int:
        return len(self._seen)

    def arrive(
        self, token: bytes, message_id: bytes, now: float, signer: bytes = b"", signed: int = 0
    ) -> Arrival | bytes:
        """Say what to do with a message; bytes: the answer that it got before, with its id.

        `token`: the MAC, or what else is equal for equal messages only.  `now`: seconds, of a clock that does not
        jump.  `signer` and `signed`: who signed it when; nobody, if it is not signed.
        """
        self._forget(now)
        seen = self._seen.get(token)
        if seen is not None:
            return Arrival.PENDING if seen.answer is None else message_id + seen.answer[2:]
        if signer and signed <= self._forgotten.get(signer, -1):
            return Arrival.TOO_OLD
        self._seen[token] = _Seen(now + self._seconds, signer, signed, None)
        return Arrival.NEW

    def answered(self, token: bytes, answer: bytes) -> None:
        """That is what the message got."""
        seen = self._seen.get(token)
        if seen is not None:
            self._seen[token] = seen._replace(answer=answer)

    def failed(self, token: bytes) -> None:
        """It could not be carried out, nothing was changed: it may be tried again."""
        self._seen.pop(token, None)

    def _forget(self, now: float) -> None:
        while self._seen:
            seen = next(iter(self._seen.values()))
            if seen.until > now and len(self._seen) < self._most:
                return
            self._seen.popitem(last=False)
            if seen.signer:
                self._forgotten[seen.signer] = max(seen.signed, self._forgotten.get(seen.signer, -1))
