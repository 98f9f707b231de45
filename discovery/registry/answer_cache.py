"""What other servers said, kept for as long as they allow and as long as there is room (RFC 2308, RFC 9520)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, NamedTuple

from discovery.registry import wire
from discovery.registry.render import Answer
from discovery.registry.wire import Record

LONGEST_SECONDS: Final = 3600
LONGEST_DENIAL_SECONDS: Final = 60
FAILURE_SECONDS: Final = 1
"""A failure is kept too, lest its retries become a storm."""
KEPT_BYTES: Final = 1 << 20
_RECORD_BYTES: Final = 200
"""What keeping a record costs beside its bytes."""


class _Kept(NamedTuple):
    answer: Answer
    since: float
    until: float
    size: int


class AnswerCache:
    """Answers by question; what was not asked for longest goes first.  The clock is the caller's, in seconds."""

    def __init__(self, room: int = KEPT_BYTES) -> None:
        self._room = room
        self._kept: dict[Hashable, _Kept] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, key: Hashable, answer: Answer, now: float) -> None:
        """Keep `answer`, which came at `now`, unless nobody may."""
        self._drop(key)
        seconds = lifetime(answer)
        size = _RECORD_BYTES + sum(_RECORD_BYTES + len(r.name) + len(r.data) for r in _records(answer))
        if seconds <= 0 or size > self._room:
            return
        self._kept[key] = _Kept(answer, now, now + seconds, size)
        self._size += size
        while self._size > self._room:
            self._drop(next(iter(self._kept)))

    def get(self, key: Hashable, now: float) -> Answer | None:
        """The answer with what is left of its TTLs."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= now:
            self._drop(key)
            return None
        self._kept[key] = self._kept.pop(key)
        return _aged(kept.answer, int(now - kept.since))

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= kept.size


def lifetime(answer: Answer) -> int:
    """Seconds for which an answer may be kept."""
    if answer.rcode not in {wire.NOERROR, wire.NXDOMAIN}:
        return FAILURE_SECONDS
    soa = next((record for record in answer.authority if record.type == wire.SOA), None)
    least = min((record.ttl for record in answer.records), default=LONGEST_SECONDS)
    if answer.records and soa is None:
        return min(least, LONGEST_SECONDS)
    if soa is None:
        return 0
    return min(least, soa.ttl, int.from_bytes(soa.data[-4:], "big"), LONGEST_DENIAL_SECONDS)


def _records(answer: Answer) -> tuple[Record, ...]:
    return (*answer.records, *answer.authority, *answer.additional)


def _aged(answer: Answer, age: int) -> Answer:
    if not age:
        return answer
    sections = ((r._replace(ttl=max(r.ttl - age, 0)) for r in part) for part in answer[1:4])
    records, authority, additional = map(tuple, sections)
    return answer._replace(records=records, authority=authority, additional=additional)
