"""Answers to AXFR and IXFR: who gets a zone, and how it is sent (RFC 5936, RFC 1995).

A difference that fits into one message is rendered once for all who ask for it.  What does not fit goes out by TCP,
message by message, as fast as the other side reads; by UDP the SOA record alone says that there is more.  What is
beneath a name in the zone, such as that of a Service, is sent as a zone of its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address
from itertools import islice
from typing import Final
from weakref import WeakKeyDictionary

from config.addresses import Network
from discovery.registry.asked import Asked, Stream
from discovery.registry.content import later
from discovery.registry.keys import KeyRing
from discovery.registry.parts import Parts, narrowed, nodes_of, read_parts
from discovery.registry.refusals import Sparing
from discovery.registry.render import LARGEST_UDP, SMALLEST_UDP
from discovery.registry.repeated import Repeated
from discovery.registry.store import StoreError
from discovery.registry.transfer import LARGEST, Apex, Served, Step, incremental, messages, whole
from discovery.registry.wire import AXFR, FORMERR, OPT, REFUSED, SOA, Malformed, Message, parse_message

AT_ONCE: Final = 8
"""Answers of several messages that are sent at once; others wait."""
LONGEST_SECONDS: Final = 120.0
"""That one such answer may take."""
KEPT: Final = 64
"""Differences that are kept as finished messages."""

log = logging.getLogger(__name__)


class ZoneSender:
    """Sends zones; `close` ends what is under way."""

    def __init__(
        self, keys: KeyRing, allowed: Iterable[Network] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`allowed`: who may have a zone without a key; `clock`: monotonic seconds."""
        self._repeated = Repeated(keys)
        self.admit(keys, allowed)
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._turns: WeakKeyDictionary[Stream, asyncio.Lock] = WeakKeyDictionary()
        """One connection has one answer under way: who asks a lot at once is not ahead of others."""
        self._from_store = asyncio.Semaphore(1)
        """What is read from the store for an answer may be many times what the zone is."""
        self._sparing = Sparing(clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished: dict[tuple[bytes, Parts | None, int, int, int, bytes], bytes] = {}
        """By zone, parts, the serials that it leads from and to, how large it may be, and its OPT: all but its id."""

    def admit(self, keys: KeyRing, allowed: Iterable[Network] = ()) -> None:
        """Send zones to these from now on."""
        self._repeated.admit(keys)
        self._keys = keys
        self._allowed = tuple(allowed)

    def may_have(self, asked: Asked) -> bool:
        """Whether whoever asks gets zones."""
        if asked.verified is not None:
            return self._keys.scope(asked.verified.key, loopback=False).transfers
        address = ip_address(asked.client.partition("%")[0])
        is_allowed = any(address in network for network in self._allowed)
        return is_allowed or self._keys.scope(None, asked.is_loopback).transfers

    def again(self, message: bytes, now: float) -> bytes | None:
        """The answer to a question by UDP that was answered before; None: it is to be read."""
        return self._repeated.answer(message, now)

    def answer(self, asked: Asked, zone: Served) -> None:
        """Answer a question for the zone of `zone`, or for what is beneath a name in it, now or later."""
        if not self.may_have(asked):
            asked.refuse(REFUSED)
            return
        try:
            message = parse_message(asked.message)
            parts = read_parts(message) if asked.zone == zone.apex.origin else _beneath(asked, zone)
            serial = None if asked.type == AXFR else _serial(message, asked.zone)
        except Malformed:
            asked.refuse(FORMERR)
            return
        limit = _limit(asked, message)
        if serial is not None and (asked.verified or asked.is_loopback) and later(serial, zone.content.serial):
            zone.overtaken(serial)
        if serial is None and asked.stream is None:
            asked.refuse(FORMERR)
        elif serial is not None and (finished := self._at_hand(asked, zone, serial, parts, limit)) is not None:
            self._repeated.put(asked, zone, finished)
            asked.send(asked.message[:2] + finished)
        elif asked.stream is None:  # it does not fit
            soa = incremental(_apex(asked, zone), zone.content.serial, ())
            (alone,) = messages(asked.message[:2], asked.question, soa, limit, asked.opt)
            asked.send(alone)
        else:
            task = asyncio.get_running_loop().create_task(self._send(asked, zone, serial, parts, limit))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Send nothing more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _at_hand(self, asked: Asked, zone: Served, serial: int, parts: Parts | None, limit: int) -> bytes | None:
        """The message without its id, if one is enough and the store need not be asked."""
        latest = zone.content.serial
        opt = asked.opt
        key = asked.zone, parts, serial, latest, limit, opt
        finished = self._finished.get(key)
        if finished is None:
            steps = _steps(asked, zone, serial, parts) if later(latest, serial) else []
            if steps is None:
                return None
            records = incremental(_apex(asked, zone), latest, steps)
            made = list(islice(messages(b"", asked.question, records, limit, opt), 2))
            if len(made) > 1:
                return None
            finished = made[0]
            if len(self._finished) >= KEPT:
                self._finished.clear()
            self._finished[key] = finished
        return finished

    async def _send(self, asked: Asked, zone: Served, serial: int | None, parts: Parts | None, limit: int) -> None:
        """Send it by TCP, when it is its turn and if the other side is still there."""
        assert asked.stream is not None
        try:
            is_at_hand = serial is None or parts is not None or zone.history.since(serial) is not None
            turn = self._turns.setdefault(asked.stream, asyncio.Lock())
            async with turn, asyncio.timeout(LONGEST_SECONDS):
                await asked.stream.room()
                async with self._limit if is_at_hand else self._from_store:
                    chunks = await _chunks(asked, zone, serial, parts)
                    await _send_all(asked, messages(asked.message[:2], asked.question, chunks, limit, asked.opt))
        except (ConnectionError, TimeoutError) as error:
            reason = str(error) or "it took too long"
            if self._sparing.tells(asked.client, reason):
                log.info("a zone was not sent to %s as a whole: %s", asked.client, reason)
            asked.sender(None)
        except asyncio.CancelledError:
            asked.sender(None)
            raise


async def _chunks(asked: Asked, zone: Served, serial: int | None, parts: Parts | None) -> Iterator[bytes]:
    """The records of the answer; `serial`: from which a difference is asked for, None: it is not."""
    steps = None
    if serial is not None and parts is not None:  # they are sent as a whole sooner than the store is asked
        steps = _steps(asked, zone, serial, parts)
    elif serial is not None:
        with suppress(StoreError):  # then the zone is sent as a whole, which takes no look into the store
            steps = await zone.since(serial)
    apex, latest = _apex(asked, zone), zone.content.serial
    if steps is not None:
        return incremental(apex, latest, steps)
    if parts is not None:
        return whole(apex, latest, nodes_of(zone.content, parts))
    return whole(apex, latest, zone.content.nodes.copy())  # five times as fast as dict()


def _steps(asked: Asked, zone: Served, serial: int, parts: Parts | None) -> Sequence[Step] | None:
    """What is known without the store to have happened after `serial`; None: that is not all of it.

    Changes are rendered for the zone: what is beneath a name in it is sent as a whole.
    """
    steps = zone.history.since(serial) if asked.zone == zone.apex.origin else None
    if steps is None or parts is None:
        return steps
    return narrowed(zone.apex, serial, zone.content.serial, steps, parts)


def _apex(asked: Asked, zone: Served) -> Apex:
    """What is asked for is answered as a zone."""
    return zone.apex._replace(origin=asked.zone)


def _beneath(asked: Asked, zone: Served) -> Parts:
    return frozenset({asked.zone[: -len(zone.apex.origin)]})


async def _send_all(asked: Asked, made: Iterator[bytes]) -> None:
    """All messages, each once there is room for it, the last one by the sender."""
    sign = asked.signer()
    held = next(made)
    for message in made:
        assert asked.stream is not None
        asked.stream.write(sign(held))
        await asyncio.sleep(0)  # there may be room for far more than the loop is to be held for
        await asked.stream.room()
        held = message
    asked.sender(sign(held))


def _serial(message: Message, zone: bytes) -> int:
    """The serial of which a difference is asked for.  Raises `Malformed`."""
    for record in message.authority:
        if record.type == SOA and record.name.lower() == zone and len(record.data) >= 22:
            return int.from_bytes(record.data[-20:-16], "big")
    raise Malformed("a question for a difference does not say from which serial")


def _limit(asked: Asked, message: Message) -> int:
    """Bytes that a message may have before it is signed."""
    if asked.stream is not None:
        return LARGEST
    sizes = [record.klass for record in message.additional if record.type == OPT]
    size = min(max(sizes[0], SMALLEST_UDP), LARGEST_UDP) if sizes else SMALLEST_UDP
    return size - asked.room_for_signature
