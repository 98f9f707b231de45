"""What is to be sent so that records stay registered, without I/O (RFC 2136, RFC 9664 section 5).

What is *wanted* is compared with what is *known* to be there, because a registry has acknowledged it, and with what
*may* be there: sent without an answer, or left by an earlier run.  The difference is one `Letter`, and only one is
under way.  At 80 to 85 % of the lease a whole round is sent, everything that is wanted in the same order: equal bytes,
which the registry knows as a refresh without reading them.  When nothing can be taken as known any more, at another
registry or after a refusal, a whole round is sent at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from discovery.registry.messages import removed
from discovery.registry.terms import refresh_after
from discovery.registry.wire import Record

MOST_BYTES: Final = 48_000
"""Of the records in one letter: a message has 65535 at most."""
_RECORD_BYTES: Final = 10


class Letter(NamedTuple):
    """One UPDATE: what is to go, then what is to be there."""

    gone: tuple[Record, ...]
    there: tuple[Record, ...]
    is_of_round: bool = False

    def changes(self) -> list[Record]:
        """The records of its update section."""
        return [*map(removed, self.gone), *self.there]


class Upkeep:
    """The registration of one zone's records; seconds are those of any steady clock."""

    def __init__(self) -> None:
        self._wanted: dict[Record, None] = {}
        self._known: set[Record] = set()
        self._doubtful: set[Record] = set()
        """What may be there."""
        self._round: dict[Record, None] = {}
        """What is still to be sent of the whole round under way."""
        self._refresh_at = 0.0
        self._under_way: Letter | None = None

    @property
    def is_settled(self) -> bool:
        """Whether what is wanted is known to be there, and nothing else."""
        return not (self._under_way or self._doubtful or self._round) and self._wanted.keys() == self._known

    @property
    def next_at(self) -> float:
        """When `letter` is to be asked again, if nothing happens."""
        return self._refresh_at if self._wanted else float("inf")

    def want(self, records: Iterable[Record]) -> None:
        """These records are to be registered, and no others."""
        self._wanted = dict.fromkeys(sorted(records))
        self._round = {record: None for record in self._round if record in self._wanted}

    def found(self, records: Iterable[Record]) -> None:
        """These records of ours are registered, by an earlier run or so."""
        self._doubtful.update(record for record in records if record not in self._known)

    def lost(self, records: Iterable[Record]) -> None:
        """These records of ours are registered no more."""
        self._known.difference_update(records)

    def doubt(self) -> None:
        """Nothing is known any more: everything is to be sent again."""
        self._doubtful |= self._known
        self._known.clear()
        self._round.clear()
        self._refresh_at = 0.0

    def letter(self, now: float) -> Letter | None:
        """What is to be sent, whose outcome `acknowledged` or `failed` is to be told; None: nothing now."""
        if self._under_way is not None:
            return None
        if self._wanted and now >= self._refresh_at and not self._round:
            self._round = dict(self._wanted)
            self._refresh_at = float("inf")
        superfluous = (record for some in (self._known, self._doubtful) for record in some)
        gone = _fitting(sorted({record for record in superfluous if record not in self._wanted}), MOST_BYTES)
        missing = self._round or (record for record in self._wanted if record not in self._known)
        there = _fitting(missing, MOST_BYTES - sum(map(_size, gone)))
        if not (gone or there):
            return None
        self._under_way = Letter(gone, there, bool(self._round))
        return self._under_way

    def acknowledged(self, lease: float, now: float, chance: float) -> None:
        """The letter under way was carried out; what it adds lives for `lease` seconds; `chance`: 0 to 1, at random."""
        letter = self._ended()
        self._known |= set(letter.there)
        self._known.difference_update(letter.gone)
        self._doubtful.difference_update(letter.gone, letter.there)
        if letter.is_of_round:
            self._refresh_at = min(self._refresh_at, now + refresh_after(lease, chance))
            for record in letter.there:
                self._round.pop(record, None)

    def failed(self) -> None:
        """Nobody knows what became of the letter under way, or it was refused."""
        self._doubtful.update(self._ended().there)
        self.doubt()

    def _ended(self) -> Letter:
        letter, self._under_way = self._under_way, None
        if letter is None:
            raise ValueError("no letter is under way")
        return letter


def _fitting(records: Iterable[Record], room: int) -> tuple[Record, ...]:
    """As many of `records`, from the first on, as have room."""
    chosen = []
    for record in records:
        room -= _size(record)
        if room < 0:
            break
        chosen.append(record)
    return tuple(chosen)


def _size(record: Record) -> int:
    return len(record.name) + len(record.data) + _RECORD_BYTES
