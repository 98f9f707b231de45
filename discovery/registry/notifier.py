"""NOTIFY, the sending side: who is to be told of a zone's new serial, and when again (RFC 1996 section 3).

Each target is told at once; who does not answer is told again, ever more rarely, a few times.  A newer serial takes the
place of an older one, so there is one message under way per target.  `Outbox` decides, `Notifier` has the socket.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Collection, Iterable, Iterator
from random import Random
from typing import Final, NamedTuple

from discovery.registry.messages import notify
from discovery.registry.resolv_conf import Resolver
from discovery.registry.transfer import Apex
from discovery.registry.wire import HEADER, NOTIFY_OPCODE

FIRST_RETRY_SECONDS: Final = 0.25
TRIES: Final = 5
TICK_SECONDS: Final = 0.1
LARGEST: Final = 1500

log = logging.getLogger(__name__)


Letter = tuple[Resolver, bytes]
"""A message, and whom it is for."""


class _Told(NamedTuple):
    """What a target was told, and has not answered."""

    message: bytes
    tries: int
    again_at: float


class Outbox:
    """Who has been told what; seconds are those of any steady clock."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._told: dict[Resolver, _Told] = {}
        self._next = random.randrange(1 << 16)

    def __len__(self) -> int:
        """Targets that have not answered yet."""
        return len(self._told)

    def tell(
        self, targets: Iterable[Resolver], apex: Apex, serial: int, now: float
    ) -> Iterator[tuple[Resolver, bytes]]:
        """What is to be sent to whom, at once, since the zone has this serial."""
        notice = notify(0, apex.soa(serial))[2:]
        for target in targets:
            self._next = (self._next + 1) & 0xFFFF
            message = self._next.to_bytes(2, "big") + notice
            self._told[target] = _Told(message, 1, now + self._pause(1))
            yield target, message

    def answered(self, target: Resolver, message: bytes) -> None:
        """Something came from `target`: if it answers what it was told, whatever it says, it is told no more."""
        told = self._told.get(target)
        if told is not None and len(message) >= HEADER and message[:2] == told.message[:2] and _is_answer(message):
            del self._told[target]

    def due(self, now: float) -> Iterator[Letter]:
        """What is to be sent again to whom; who was told often enough is left alone, and asks by itself."""
        for target, told in tuple(self._told.items()):
            if told.again_at > now:
                continue
            if told.tries >= TRIES:
                del self._told[target]
                continue
            tries = told.tries + 1
            self._told[target] = told._replace(tries=tries, again_at=now + self._pause(tries))
            yield target, told.message

    def _pause(self, tries: int) -> float:
        return FIRST_RETRY_SECONDS * (1 << tries - 1) * self._random.uniform(0.9, 1.1)


def _is_answer(message: bytes) -> bool:
    return bool(message[2] & 0x80) and message[2] >> 3 & 0xF == NOTIFY_OPCODE


class Notifier:
    """Tells targets, from one socket of each address family, until it is closed.  Needs a running event loop."""

    def __init__(self, targets: Callable[[Collection[bytes]], Collection[Resolver]], random: Random) -> None:
        """`targets`: who is to be told that these names changed, at the moment."""
        self._targets = targets
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(random)
        self._sockets: dict[int, socket.socket] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._news: dict[bytes, tuple[Apex, int, set[bytes]]] = {}
        """By zone, what is told in a moment, and the names that changed."""
        self.source = ""
        """The address that they come from, by which targets know us; empty: as the system chooses."""
        self.sent = 0
        """Messages so far."""

    def changed(self, apex: Apex, serial: int, names: Iterable[bytes] = ()) -> None:
        """The zone has a new serial, and `names` are not what they were.

        It is told a turn later, so that whoever asked for the change has its answer first.
        """
        if not self._news:
            self._loop.call_soon(self._loop.call_soon, self._tell)
        _, _, before = self._news.get(apex.origin, (apex, serial, set()))
        self._news[apex.origin] = apex, serial, before.union(names)

    def close(self) -> None:
        """Tell nobody any more."""
        self._news.clear()
        if self._timer is not None:
            self._timer.cancel()
        for each in self._sockets.values():
            self._loop.remove_reader(each)
            each.close()
        self._sockets.clear()

    def _tell(self) -> None:
        news, self._news = self._news, {}
        for apex, serial, names in news.values():
            self._send_all(self._outbox.tell(self._targets(names), apex, serial, self._loop.time()))

    def _send_all(self, messages: Iterator[Letter]) -> None:
        for target, message in messages:
            self.sent += 1
            try:
                self._socket(target).sendto(message, target)
            except OSError as error:  # it is told again, and asks by itself
                log.debug("%s could not be notified: %s", target, error)
        if self._outbox and self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._send_all(self._outbox.due(self._loop.time()))

    def _socket(self, target: Resolver) -> socket.socket:
        family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
        if family not in self._sockets:
            made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            if self.source and (":" in self.source) == (family == socket.AF_INET6):
                made.bind((self.source, 0))
            self._sockets[family] = made
            self._loop.add_reader(made, self._readable, made)
        return self._sockets[family]

    def _readable(self, made: socket.socket) -> None:
        while True:
            try:
                message, where = made.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error that a message caused
                continue
            self._outbox.answered(Resolver(*where[:2]), message)
