"""A registrant: keeps records registered at one of several registries (RFC 2136, RFC 8945, RFC 9664).

`discovery.registry.upkeep` says what is to be sent; here it is sent, by UDP and again until there is an answer, by TCP
where it is large.  A registry that does not answer or refuses gives way to the next one, which is told everything.
So is the first one again (`preference`), as long as the zone can be followed there.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from random import Random
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_NONBLOCK
from typing import Final

from discovery.backoff import Backoff, BackoffPolicy
from discovery.registry import tsig
from discovery.registry.keys import Key
from discovery.registry.messages import LARGEST_UDP, update
from discovery.registry.preference import Preference
from discovery.registry.resolv_conf import Resolver
from discovery.registry.terms import Terms, read_terms
from discovery.registry.tsig import TsigError, Unsigned, Verifier
from discovery.registry.upkeep import Letter, Upkeep
from discovery.registry.wire import (
    NOERROR,
    QR,
    RCODE_NAMES,
    REFUSED,
    SERVFAIL,
    UPDATE_OPCODE,
    Malformed,
    Message,
    Record,
    parse_message,
)

RESEND_SECONDS: Final = 0.3
TRIES: Final = 4
"""Of one datagram; then its registry counts as gone."""
TCP_SECONDS: Final = 5.0
LARGEST: Final = 65535
RETRIES: Final = BackoffPolicy(first=0.25, ceiling=2.0, jitter=0.2)

log = logging.getLogger(__name__)


class Refused(Exception):
    """A registry said no, or something that is no answer."""


class Registrant:
    """Registers records of the zone `origin`; `run` sends."""

    def __init__(
        self,
        origin: bytes,
        servers: Sequence[Resolver],
        *,
        key: Key | None,
        lease: int,
        random: Random,
        wall: Callable[[], float],
    ) -> None:
        """`servers`: in the order in which they are tried; `lease`: seconds to ask for; `wall`: seconds since 1970."""
        self.failure = ""
        """Why the last try failed; empty if it did not."""
        self._origin = origin
        self._preference = Preference(servers, random)
        self._heard = self._preference.first
        """Who answered last to those who follow the zone."""
        self._key = key
        self._lease = lease
        self._random = random
        self._wall = wall
        self._upkeep = Upkeep()
        self._backoff = Backoff(RETRIES, random)
        self._woken = asyncio.Event()
        self._answering = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    @property
    def server(self) -> Resolver:
        """Who is told."""
        return self._preference.current

    def want(self, records: Iterable[Record]) -> None:
        """These records are to be registered from now on, and no others."""
        self._upkeep.want(records)
        self._changed()

    def found(self, records: Iterable[Record]) -> None:
        """The registry has these records of ours; what is not wanted of them goes."""
        self._upkeep.found(records)
        self._changed()

    def lost(self, records: Iterable[Record]) -> None:
        """The registry has these records of ours no more."""
        self._upkeep.lost(records)
        self._changed()

    def answering(self, server: Resolver) -> None:
        """The zone is followed there from now on: who has no registry that answers tries again at once."""
        self._heard = server
        self._backoff.succeeded()
        self._answering.set()
        self._woken.set()

    async def settled(self, seconds: float) -> bool:
        """Wait until the registry has acknowledged what is wanted, at most so long; whether it has."""
        try:
            async with asyncio.timeout(seconds):
                return await self._settled.wait()
        except TimeoutError:
            return False

    async def run(self) -> None:
        """Keep what is wanted registered, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            if self._return_at <= loop.time():
                self._preference.take_first()
                self._upkeep.doubt()
            letter = self._upkeep.letter(loop.time())
            if letter is None:
                await self._wait(min(self._upkeep.next_at, self._return_at) - loop.time())
                continue
            try:
                lease = await self._send(letter)
            except (Refused, TsigError, Malformed, OSError, EOFError, TimeoutError) as error:
                self._upkeep.failed()
                why = getattr(error, "strerror", None) or str(error) or "it did not answer in time"
                await self._pause(self._failed(why))
            else:
                self._upkeep.acknowledged(lease, loop.time(), self._random.random())
                self._succeeded()

    @property
    def _return_at(self) -> float:
        """When the first registry is to be told again what another one was told."""
        return self._preference.try_at if self._heard == self._preference.first else float("inf")

    def _changed(self) -> None:
        if self._upkeep.is_settled:
            self._settled.set()
        else:
            self._settled.clear()
        self._woken.set()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds if seconds < float("inf") else None):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _pause(self, seconds: float) -> None:
        self._answering.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._answering.wait()
        except TimeoutError:
            return

    def _failed(self, why: str) -> float:
        """Turn to the next registry; seconds until it may be tried."""
        if why != self.failure:
            log.warning("nothing can be registered at %s: %s", self.server, why)
        self.failure = why
        now = asyncio.get_running_loop().time()
        self._preference.failed(now)
        pause = self._backoff.failed(now)
        return pause if self.server == self._preference.first else 0.0

    def _succeeded(self) -> None:
        if self.failure:
            log.info("registered at %s", self.server)
        self.failure = ""
        self._backoff.succeeded()
        if self._upkeep.is_settled:
            self._settled.set()

    async def _send(self, letter: Letter) -> float:
        """Seconds that what the letter adds lives.  Raises what says that it was not carried out."""
        message_id = self._random.randrange(1 << 16)
        query = update(message_id, self._origin, letter.changes(), terms=Terms(self._lease) if letter.there else None)
        verify: Callable[[bytes], bytes] = bytes
        if self._key is not None:
            query, mac = tsig.sign(query, self._key, self._wall())
            verifier = Verifier(self._key, mac)
            verify = lambda answer: verifier.verify(answer, self._wall())  # noqa: E731 - the other one is no function
        message = parse_message(_read(verify, await deliver(self.server, query)))
        if message.flags & 0xF != NOERROR:
            rcode = message.flags & 0xF
            hint = ": does spec.registry.keys there let this write what it registers?" if rcode == REFUSED else ""
            raise Refused(f"it answers {RCODE_NAMES.get(rcode, rcode)}{hint}")
        return _granted(message, self._lease)


def _read(verify: Callable[[bytes], bytes], answer: bytes) -> bytes:
    """The answer as it was signed.  Who hands an UPDATE on has no key, so what it says itself it cannot sign."""
    try:
        return verify(answer)
    except Unsigned as error:
        if error.rcode != SERVFAIL:
            raise
        raise Refused("it cannot reach a registry (it answers SERVFAIL, which is not signed)") from None


async def deliver(server: Resolver, query: bytes) -> bytes:
    """The answer to an UPDATE, which is repeated if it takes long.  Raises Refused, OSError, EOFError, TimeoutError."""
    return await (_by_udp if len(query) <= LARGEST_UDP else _by_tcp)(server, query)


def _granted(message: Message, asked: int) -> float:
    terms = read_terms(message)
    return asked if terms is None else terms.lease


def _is_answer(answer: bytes, query: bytes) -> bool:
    return (
        len(answer) > 3
        and answer[:2] == query[:2]
        and (answer[2] << 8 & QR > 0)
        and answer[2] >> 3 & 0xF == UPDATE_OPCODE
    )


async def _by_udp(server: Resolver, query: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(AF_INET6 if ":" in server.address else AF_INET, SOCK_DGRAM | SOCK_NONBLOCK) as asking:
        asking.connect(server)
        for _ in range(TRIES):
            asking.send(query)
            try:
                async with asyncio.timeout(RESEND_SECONDS):
                    while not _is_answer(answer := await loop.sock_recv(asking, LARGEST), query):
                        continue
                    return answer
            except TimeoutError:
                continue
    raise TimeoutError


async def _by_tcp(server: Resolver, query: bytes) -> bytes:
    async with asyncio.timeout(TCP_SECONDS):
        reader, writer = await asyncio.open_connection(*server)
        try:
            writer.write(len(query).to_bytes(2, "big") + query)
            answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            writer.transport.abort()
    if not _is_answer(answer, query):
        raise Refused("it answers something else")
    return answer
