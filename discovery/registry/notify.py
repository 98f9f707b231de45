"""NOTIFY: a primary says that its zone changed (RFC 1996); `messages` makes it and its answer."""

from __future__ import annotations

from typing import NamedTuple

from discovery.registry.wire import FORMERR, IN, NOTIFY_OPCODE, NOTIMP, QR, RCODE_NAMES, SOA, Message


class NotifyError(Exception):
    """A NOTIFY that gets nothing but this rcode."""

    def __init__(self, rcode: int) -> None:
        super().__init__(RCODE_NAMES[rcode])
        self.rcode = rcode


class Notify(NamedTuple):
    """A zone, as wire bytes in lower case, and the serial that it has now, if that was said."""

    zone: bytes
    serial: int | None


def read_notify(message: Message) -> Notify:
    """Read a NOTIFY; what its answer section says is a hint (section 3.7).  Raises `NotifyError`."""
    if message.opcode != NOTIFY_OPCODE or message.flags & QR:
        raise NotifyError(NOTIMP)
    name, kind, klass = message.question
    if kind != SOA or klass != IN:
        raise NotifyError(FORMERR)
    zone = name.lower()
    for record in message.answers:
        if record.type == SOA and record.name.lower() == zone and len(record.data) >= 22:
            return Notify(zone, int.from_bytes(record.data[-20:-16], "big"))
    return Notify(zone, None)
