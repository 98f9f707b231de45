"""The authority: what reaches the DNS server and is more than a question (RFC 2136, 1996, 5936, 1995, 8945).

UPDATE and transfers of the written zones, NOTIFY, and whatever is signed.  A signature is checked before anything is
read, and what answers a signed message is signed.  Whoever brings a message gives a `send`, which is called once: now,
or when the store has done its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final

from config.addresses import Network
from discovery.registry import tsig
from discovery.registry.asked import Asked, Elsewhere, Send, Stream, error, type_of
from discovery.registry.content import parent
from discovery.registry.keys import KeyRing
from discovery.registry.messages import reply
from discovery.registry.notify import NotifyError, read_notify
from discovery.registry.outline import Outline, fingerprint, outline
from discovery.registry.primary import Primary
from discovery.registry.refusals import Refusals
from discovery.registry.replays import UNSIGNED_SECONDS, Arrival, Replays
from discovery.registry.responder import Responder
from discovery.registry.terms import LEAST_SECONDS, Terms, granted, read_terms
from discovery.registry.transfer import Served
from discovery.registry.tsig import TsigError
from discovery.registry.update import Request, UpdateError, read_update
from discovery.registry.wire import (
    AXFR,
    FORMERR,
    HEADER,
    IXFR,
    NOERROR,
    NOTAUTH,
    NOTIFY_OPCODE,
    REFUSED,
    SERVFAIL,
    UPDATE_OPCODE,
    Malformed,
    Message,
    Query,
    parse_end,
    parse_message,
    to_labels,
)
from discovery.registry.zone_sender import ZoneSender

_OPCODES: Final = frozenset({UPDATE_OPCODE, NOTIFY_OPCODE})
_TRANSFERS: Final = frozenset({AXFR, IXFR})
_HEADER_ALONE: Final = Outline(HEADER, HEADER, HEADER, 0)
_ONE_RECORD: Final = b"\0\1\0\1\0\0\0\0"
"""Counts of a message with a question and one answer."""
MOST_NOTICES: Final = 16
"""That are known by their bytes."""
LARGEST_NOTIFY: Final = 4096
"""It has a SOA record, and anybody may send it."""

Heard = Callable[[int | None, str], bool]
"""Told of a NOTIFY: its serial, and the address that it came from; False: that is nobody to listen to."""


Forward = Callable[[bytes, Outline, str, Send], None]
"""Hands an UPDATE on as it came, from that address, and its answer back."""


class Authority:
    """Answers for the zones that it is given to serve or to follow."""

    def __init__(
        self,
        responder: Responder,
        elsewhere: Elsewhere,
        keys: KeyRing,
        *,
        transfers_to: Iterable[Network] = (),
        least_lease: int = LEAST_SECONDS,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """`clock`: monotonic seconds; `wall`: seconds since 1970, by which signatures are dated."""
        self._responder = responder
        self._elsewhere = elsewhere
        self._keys = keys
        self._least_lease = least_lease
        self._clock = clock
        self._wall = wall
        self._sender = ZoneSender(keys, transfers_to, clock)
        self._primaries: dict[bytes, Primary] = {}
        self._served: dict[bytes, Served] = {}
        """The zones that are sent: those of the primaries, and copies."""
        self._forwards: dict[bytes, Forward] = {}
        self._followed: dict[bytes, Heard] = {}
        self._notices: dict[bytes, tuple[Heard, bytes]] = {}
        """By NOTIFYs without their ids and serials: who is told, and the answer without its id."""
        self._refusals = Refusals(clock)
        self._signed = Replays()
        self._unsigned = Replays(UNSIGNED_SECONDS)

    def admit(self, keys: KeyRing, transfers_to: Iterable[Network] = ()) -> None:
        """These are the keys now, and those who may have zones without one."""
        self._keys = keys
        self._sender.admit(keys, transfers_to)

    def serve(self, primary: Primary) -> None:
        """Take updates of the zone of `primary`, and send it to secondaries."""
        self._primaries[primary.apex.origin] = primary
        self.share(primary)

    def share(self, zone: Served) -> None:
        """Send `zone` to secondaries."""
        self._served[zone.apex.origin] = zone

    def forward(self, zone: bytes, forward: Forward) -> None:
        """Have updates of `zone` handed on; who may write is for those to judge who get them (RFC 8945 section 5.5)."""
        self._forwards[zone] = forward

    def follow(self, zone: bytes, heard: Heard) -> None:
        """Hand on what NOTIFY says of `zone`."""
        self._followed[zone] = heard
        self._notices.clear()

    async def close(self) -> None:
        """End what is under way."""
        await self._sender.close()

    def take(self, message: bytes, client: str, send: Send, stream: Stream | None = None) -> bool:
        """Answer `message` if it is more than a plain question; False: it is not, and `send` is not called.

        `client`: the address that it came from; `stream`: None by UDP.
        """
        if len(message) < HEADER or message[2] & 0x80:
            return False
        opcode = message[2] >> 3 & 0xF
        if stream is None and self._answer_again(message, opcode, client, send):
            return True
        try:
            parts = outline(message)
        except Malformed:
            if opcode not in _OPCODES:
                return False
            send(error(message, _HEADER_ALONE, FORMERR))
            return True
        if not (parts.signature or opcode in _OPCODES or type_of(message, parts) in _TRANSFERS):
            return False
        forward = self._forwards.get(message[HEADER : parts.answers - 4].lower()) if opcode == UPDATE_OPCODE else None
        if forward is not None:
            forward(message, parts, client, send)
        else:
            self._take_here(message, parts, client, send, stream)
        return True

    def _take_here(self, message: bytes, parts: Outline, client: str, send: Send, stream: Stream | None) -> None:
        """It is not for another server."""
        asked = self._verified(message, parts, client, send, stream)
        if asked is not None:
            self._answer(asked, message[2] >> 3 & 0xF)

    def _verified(self, message: bytes, parts: Outline, client: str, send: Send, stream: Stream | None) -> Asked | None:
        """The message without its signature; None: that does not hold, and is answered."""
        try:
            verified = tsig.verify(message, self._keys.keys, self._wall(), parts=parts)
        except Malformed:
            send(error(message, parts, FORMERR))
            return None
        except TsigError as fault:
            if message[2] >> 3 & 0xF == UPDATE_OPCODE:
                self._refusals.told(client, f"its signature does not hold ({fault})")
            send(tsig.refusal(message, fault, self._wall()))
            return None
        return Asked(verified.message if verified else message, parts, client, verified, send, stream, self._wall)

    def _answer(self, asked: Asked, opcode: int) -> None:
        is_transfer = not opcode and asked.type in _TRANSFERS
        if opcode == UPDATE_OPCODE:
            self._update(asked)
        elif opcode == NOTIFY_OPCODE:
            self._notify(asked)
        elif is_transfer and (zone := self._served_at(asked.zone)) is not None:
            self._sender.answer(asked, zone)
        else:
            is_tcp = asked.stream is not None
            outcome = self._responder.respond(asked.message, is_tcp)
            if isinstance(outcome, Query):
                self._elsewhere.look_up(outcome, asked.client, is_tcp, asked.send_found)
            else:
                asked.send_found(outcome)

    def _served_at(self, name: bytes) -> Served | None:
        """The zone in which `name` is, if it is there, which what is compressed, or no name, is not."""
        above = name
        while above not in self._served and len(above) > 1:
            above = parent(above)
        zone = self._served.get(above)
        return zone if zone is not None and zone.content.exists(name) else None

    def _notify(self, asked: Asked) -> None:
        if len(asked.message) > LARGEST_NOTIFY:
            asked.refuse(FORMERR)
            return
        try:
            message = parse_message(asked.message)
            said = read_notify(message)
        except Malformed:
            asked.refuse(FORMERR)
        except NotifyError as fault:
            asked.refuse(fault.rcode)
        else:
            heard = self._followed.get(said.zone)
            if heard is None:
                asked.refuse(NOTAUTH)
            elif not heard(said.serial, asked.client):
                asked.refuse(REFUSED)
            else:
                answer = reply(message)
                if asked.verified is None and asked.message[4:12] == _ONE_RECORD and said.serial is not None:
                    if len(self._notices) >= MOST_NOTICES:
                        self._notices.clear()
                    self._notices[_but_serial(asked.message)] = heard, answer[2:]
                asked.send(answer)

    def _answer_again(self, message: bytes, opcode: int, client: str, send: Send) -> bool:
        """What is asked over and over by UDP is known by its bytes; False: this is not."""
        if opcode == NOTIFY_OPCODE:
            return self._notify_again(message, client, send)
        answer = None if opcode else self._sender.again(message, self._wall())
        if answer is not None:
            send(answer)
        return answer is not None

    def _notify_again(self, message: bytes, client: str, send: Send) -> bool:
        """One like another before but for its serial, as nearly all are, is not read; False: it is none."""
        heard, answer = self._notices.get(_but_serial(message), (None, b""))
        if heard is None or not heard(int.from_bytes(message[-20:-16], "big"), client):
            return False
        send(message[:2] + answer)
        return True

    def _update(self, asked: Asked) -> None:
        """An UPDATE that was not seen before is carried out."""
        verified = asked.verified
        if verified is not None:
            replays, token, signed = self._signed, verified.mac, verified.signed
        else:
            replays, token, signed = self._unsigned, blake2b(asked.client.encode() + asked.message).digest(), 0
        arrival = replays.arrive(token, asked.message[:2], self._clock(), asked.owner, signed)
        if isinstance(arrival, bytes):
            asked.sender(arrival)
        elif arrival is Arrival.PENDING:
            asked.sender(None)
        elif arrival is Arrival.TOO_OLD:
            asked.refuse_as_too_old()
        else:

            def answered(answer: bytes | None) -> None:
                if answer is None or answer[3] & 0xF == SERVFAIL:
                    replays.failed(token)
                else:
                    replays.answered(token, answer)
                asked.sender(answer)

            self._carry_out(asked._replace(sender=answered))

    def _carry_out(self, asked: Asked) -> None:
        """A refresh that is known by its bytes is not read, nor what comes from somebody who may write nothing."""
        primary = self._primaries.get(asked.zone)
        scope = self._keys.scope(asked.verified.key if asked.verified else None, asked.is_loopback)
        if not scope.suffixes:
            why = "its key may write nothing" if asked.verified else "it has no key, and comes from where one is needed"
            self._refusals.told(asked.client, why)
            asked.refuse(REFUSED)
            return
        try:
            end = parse_end(asked.message, asked.parts.additional)
            wanted = read_terms(end)
            terms = None if wanted is None else granted(wanted, self._least_lease)
            known = b"" if terms is None else fingerprint(asked.message, asked.parts, asked.owner)
            if primary is not None and terms is not None and primary.refresh(known, terms):
                asked.send(reply(end, NOERROR, terms))
                return
            message = parse_message(asked.message)
            if primary is None:
                zone = to_labels(asked.zone)
                is_ours = self._responder.knows(zone)
                why = "that zone is made of the manifests" if is_ours else "that is no zone of this server"
                self._refusals.told(asked.client, why, zone)
                asked.refuse(REFUSED if is_ours else NOTAUTH)
                return
            update = read_update(message, primary.apex.origin)
        except Malformed:
            self._refuse(asked, FORMERR)
            return
        except UpdateError as fault:
            self._refuse(asked, fault.rcode)
            return
        outcome = primary.submit(Request(update, scope, asked.owner, terms, known))
        outcome.add_done_callback(lambda done: self._tell(done, asked, message, terms))

    def _tell(self, done: asyncio.Future[int], asked: Asked, message: Message, terms: Terms | None) -> None:
        """An update was carried out, or given up at the end of this process."""
        rcode = SERVFAIL if done.cancelled() else done.result()
        if rcode:
            self._refusals.refused(asked.client, rcode)
        asked.send(reply(message, rcode, terms if rcode == NOERROR else None))

    def _refuse(self, asked: Asked, rcode: int) -> None:
        self._refusals.refused(asked.client, rcode)
        asked.refuse(rcode)


def _but_serial(message: bytes) -> bytes:
    """A NOTIFY that ends with a SOA record, without its id and the serial."""
    return message[2:-20] + message[-16:]
