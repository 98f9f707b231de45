"""Zone transfers, the taking side: an AXFR (RFC 5936) or IXFR (RFC 1995) answer, message by message.

Either kind may come as the answer to a question for a difference: what the second record is decides.  Nothing is
put in force before the last record has come, so an answer that breaks off changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from discovery.registry import tsig
from discovery.registry.content import Change, later, within
from discovery.registry.keys import Key
from discovery.registry.tsig import Verifier
from discovery.registry.wire import IN, QR, RCODE_NAMES, SOA, Message, Record

MOST_RECORDS: Final = 4_000_000
"""That one answer may have."""


class TransferError(Exception):
    """The other side refused, or what it sent is no transfer."""


class Whole(NamedTuple):
    """All records of the zone, without SOA."""

    serial: int
    records: tuple[Record, ...]


class Steps(NamedTuple):
    """Each change since our serial, with the serial that it leads to; none: there is nothing newer."""

    changes: tuple[tuple[int, Change], ...]


class Behind(NamedTuple):
    """There is something newer, which did not fit: to be asked for by TCP."""

    serial: int


Outcome = Whole | Steps | Behind
Wanted = Callable[[bytes], bool]


class Incoming:
    """One answer, being received."""

    def __init__(self, origin: bytes, serial: int | None, wanted: Wanted | None = None) -> None:
        """`serial`: that from which a difference was asked for; None: the whole zone was.

        `wanted`: which names of the zone are kept, in differences as in the whole; None: all.
        """
        self._origin = origin
        self._wanted = wanted
        self._ours = serial
        self._last: int | None = None
        self._take: Callable[[Record], Outcome | None] = self._first
        self._count = 0
        self._records: list[Record] = []
        self._changes: list[tuple[int, Change]] = []
        self._removed: list[Record] = []
        self._serial = 0

    @property
    def serial(self) -> int | None:
        """The one that the answer leads to; None: it did not come to that."""
        return self._last

    def feed(self, message: Message, is_udp: bool = False) -> Outcome | None:
        """One message more; the outcome once it is whole.  Raises `TransferError`."""
        if message.rcode or not message.flags & QR:
            raise TransferError(f"it answered {RCODE_NAMES.get(message.rcode, message.rcode)}")
        outcome: Outcome | None = None
        for record in message.answers:
            if outcome is not None:
                raise TransferError("records come after the last one")
            outcome = self._take(record)
        if outcome is None and self._count == 0 and self._last is not None:
            outcome = self._alone(is_udp)
        self._count += len(message.answers)
        if self._count > MOST_RECORDS:
            raise TransferError(f"it has more than {MOST_RECORDS} records")
        if outcome is None and (is_udp or not message.answers):
            raise TransferError("it ends early")
        return outcome

    def _alone(self, is_udp: bool) -> Outcome | None:
        """A first message with nothing but one SOA: nothing is newer, or it did not fit, or there is more to come."""
        if self._ours is None or self._take != self._second or self._last is None:
            return None
        if not later(self._last, self._ours):
            return Steps(())
        return Behind(self._last) if is_udp else None

    def _first(self, record: Record) -> None:
        self._last = self._soa(record)
        if self._last is None:
            raise TransferError("it does not begin with the zone's SOA")
        self._take = self._second

    def _second(self, record: Record) -> Outcome | None:
        serial = self._soa(record)
        if serial is not None and self._ours is not None and serial == self._ours != self._last:
            self._take = self._removing
            return None
        self._take = self._listing
        return self._listing(record)

    def _listing(self, record: Record) -> Outcome | None:
        serial = self._soa(record)
        if serial is None:
            self._keep(record, self._records)
            return None
        if serial != self._last:
            raise TransferError("the zone changed while it was sent")
        return Whole(serial, tuple(self._records))

    def _removing(self, record: Record) -> Outcome | None:
        serial = self._soa(record)
        if serial is None:
            self._keep(record, self._removed)
        else:
            self._serial = serial
            self._take = self._adding
        return None

    def _adding(self, record: Record) -> Outcome | None:
        serial = self._soa(record)
        if serial is None:
            self._keep(record, self._records)
            return None
        if serial != self._serial:
            raise TransferError("the serials of its changes do not follow each other")
        self._changes.append((serial, Change(tuple(self._removed), tuple(self._records))))
        self._removed, self._records = [], []
        if serial == self._last:
            return Steps(tuple(self._changes))
        self._take = self._removing
        return None

    def _soa(self, record: Record) -> int | None:
        """The serial, if this is a SOA record of the zone."""
        if record.type != SOA or record.name.lower() != self._origin:
            return None
        if len(record.data) < 22:
            raise TransferError("its SOA is too short")
        return int.from_bytes(record.data[-20:-16], "big")

    def _keep(self, record: Record, there: list[Record]) -> None:
        name = record.name.lower()
        if record.klass != IN or not within(name, self._origin):
            raise TransferError("it has a record of another class, or outside the zone")
        if self._wanted is None or self._wanted(name):
            there.append(record._replace(name=name))


class Check:
    """Checks the messages of an answer, if they are signed, and takes the signatures off."""

    def __init__(self, verifier: Verifier | None, wall: Callable[[], float]) -> None:
        self._verifier = verifier
        self._wall = wall

    def __call__(self, answer: bytes) -> bytes:
        return answer if self._verifier is None else self._verifier.verify(answer, self._wall())

    def end(self) -> None:
        """That was all of it.  Raises `TransferError` if its last messages are covered by no signature."""
        if self._verifier is not None and not self._verifier.is_settled:
            raise TransferError("its last message is not signed")


def signed(query: bytes, key: Key | None, wall: Callable[[], float]) -> tuple[bytes, Check]:
    """The query, signed if there is a key, and what checks the answer; `wall`: seconds since 1970."""
    if key is None:
        return query, Check(None, wall)
    made, mac = tsig.sign(query, key, wall())
    return made, Check(Verifier(key, mac), wall)
