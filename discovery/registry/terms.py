"""For how long records live: the EDNS option Update Lease (RFC 9664 section 4), and when they are to be refreshed.

A registrant says how long it wants, the server how long it grants; an answer has as many numbers as the question.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from discovery.registry.outline import options
from discovery.registry.store import Term
from discovery.registry.wire import Malformed, Message

UPDATE_LEASE: Final = 2
"""The option's code."""
LEAST_SECONDS: Final = 30
MOST_SECONDS: Final = 24 * 3600
MOST_KEY_SECONDS: Final = 7 * 24 * 3600
KEY: Final = 25
"""The type of records whose lease may be another one."""
REFRESH_FROM: Final = 0.80
REFRESH_UNTIL: Final = 0.85


class Terms(NamedTuple):
    """Seconds that records live, and those of type KEY, if that was said apart."""

    lease: int
    key_lease: int | None = None

    def option(self) -> bytes:
        """The EDNS option."""
        data = b"".join(number.to_bytes(4, "big") for number in self if number is not None)
        return (UPDATE_LEASE << 16 | len(data)).to_bytes(4, "big") + data


def read_terms(message: Message) -> Terms | None:
    """What an UPDATE asks for, or its answer grants; None: nothing of it.  Raises `Malformed`."""
    data = options(message).get(UPDATE_LEASE)
    if data is None:
        return None
    if len(data) not in (4, 8):
        raise Malformed("the option Update Lease has neither 4 nor 8 bytes")
    return Terms(int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big") if data[4:] else None)


def granted(asked: Terms, least: int = LEAST_SECONDS) -> Terms:
    """What is granted to who asks for that: no less than `least` seconds, so that nobody refreshes all the time."""
    key_lease = None if asked.key_lease is None else min(max(asked.key_lease, least), MOST_KEY_SECONDS)
    return Terms(min(max(asked.lease, least), MOST_SECONDS), key_lease)


def refresh_after(lease: float, chance: float) -> float:
    """Seconds until what was granted `lease` seconds is to be refreshed; `chance`: 0 to 1, at random."""
    return lease * (REFRESH_FROM + (REFRESH_UNTIL - REFRESH_FROM) * chance)


def term_of(terms: Terms | None, owner: bytes, kind: int, keeper: bytes) -> Term | None:
    """How long a record of type `kind` lives for which `terms` were granted; None: it stays."""
    if terms is None:
        return None
    lease, key_lease = terms
    return Term(owner, lease if key_lease is None or kind != KEY else key_lease, keeper)
