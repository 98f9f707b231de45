"""A secondary: keeps a copy of a zone in step with its primary (RFC 1034 section 4.3.5, RFC 1995, RFC 1996).

A NOTIFY has it ask at once, by UDP, for what changed since its serial; without one it asks every second.  What does
not fit comes by TCP, and the whole zone where a difference is not to be had or does not fit what is here.  One transfer
is under way at a time.  When a primary does not answer the next one is asked, until the first one has all of this again
(`preference`), and the copy stays as it is: whoever serves from it serves on.  So it does for a moment when a primary
lost what it had: a whole zone that lacks much, or what must be there, is asked for again before it is believed, since
others register anew what they miss.

What is usual, a NOTIFY and a difference that fits, is done aside from the task, by callbacks; all else wakes the task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Final, TypeVar

from discovery.registry import asking
from discovery.registry.content import Content, Draft, later
from discovery.registry.doubt import Doubt
from discovery.registry.incoming import Behind, Check, Incoming, Outcome, Steps, TransferError, Wanted, Whole, signed
from discovery.registry.keys import Key
from discovery.registry.messages import LARGEST_UDP, axfr_query, ixfr_query
from discovery.registry.parts import Parts, covers, option
from discovery.registry.preference import Preference
from discovery.registry.resolv_conf import Resolver
from discovery.registry.transfer import Apex, History
from discovery.registry.tsig import TsigError
from discovery.registry.wire import Malformed, parse_part

REFRESH_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.5
EARLY: Final = 0.01
"""That a timer may end too soon, or a wait that is not worth another one."""
LEAST_PAUSE: Final = 0.05
"""After a try that took as long as from one to the next."""
JITTER: Final = 0.2
UDP_SECONDS: Final = 0.5
TCP_SECONDS: Final = 10.0
"""Without another message."""
SLICE: Final = 500
"""Records or names that are put in at a time, before the rest of the loop has its turn."""

TROUBLE: Final = (TransferError, TsigError, Malformed, OSError, EOFError, TimeoutError)
"""Of which a primary may be the cause."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Secondary:
    """Follows the zone `origin`; `run` is the only writer of `content`."""

    def __init__(
        self, origin: bytes, primaries: Sequence[Resolver], key: Key | None, random: Random,
        wall: Callable[[], float],
    ) -> None:  # fmt: skip
        """`primaries`: who has the zone, in the order in which they are asked; `wall`: seconds since 1970."""
        self.content = Content(origin)
        self.followers: list[Callable[[Iterable[bytes]], None]] = []
        """Called with the names that changed, once `content` has them."""
        self.returned: list[Callable[[Resolver], None]] = []
        """Called with a primary that is asked from now on, since it answers: after none did, or as the first of all."""
        self.doubt = Doubt()
        self.synced = asyncio.Event()
        """Set once the whole zone is here."""
        self.failure = ""
        """Why the last try failed; empty if it did not."""
        self.last_contact = 0.0
        """When a primary was last heard, in seconds of the loop's clock."""
        self.parts: Parts | None = None
        """What `content` has by now of the zone; None: all."""
        self.history: History | None = None
        """Is told of every change, for who follows this copy; None: nobody does."""
        self._wanted_parts: Parts | None = None
        self._wanted: Wanted | None = None
        self._options = b""
        self._is_partial = False
        """Names are wanted that may not be here."""
        self._preference = Preference(primaries, random)
        self._key = key
        self._random = random
        self._wall = wall
        self._apex = Apex(origin, b"\0", b"\0")
        self._addresses = frozenset(primary.address for primary in primaries)
        self._notified = asyncio.Event()
        self._asking = asking.Asking(UDP_SECONDS, stays=key is not None)
        self._trying = asking.Asking(UDP_SECONDS, stays=False)
        self._is_waiting = False
        """`run` has nothing to do."""
        self._is_aside = False
        """A question is under way that `run` knows nothing of."""
        self._is_more = False
        """Something newer was heard of since then."""
        self._question = asking.Question(self._apex)

    @property
    def primary(self) -> Resolver:
        """Who is asked."""
        return self._preference.current

    def want(self, parts: Parts) -> None:
        """Keep these parts only, from now on; they are asked for as a whole once more.

        Raises ValueError, and changes nothing, if they are too many for one question.
        """
        self._options = option(parts)
        self._wanted_parts = parts
        self._wanted = lambda name: covers(parts, name[: -len(self.content.origin)])
        self._is_partial = True
        self._notified.set()

    def heard(self, serial: int | None, client: str) -> bool:
        """A NOTIFY came from the address `client`; False: that is none of the primaries."""
        if client not in self._addresses:
            return False
        if serial is None or not self.synced.is_set() or later(serial, self.content.serial):
            if self._is_aside:
                self._is_more = True
            elif self._is_waiting and self._is_usual:
                self._ask_aside()
            else:
                self._notified.set()
        return True

    @property
    def _is_usual(self) -> bool:
        """Whether a difference by UDP is what is to be asked for."""
        return self.synced.is_set() and not self._is_partial and len(self._options) < LARGEST_UDP // 2

    def _ask_aside(self) -> None:
        query, check = self._signed(self._difference())
        self._is_aside, self._is_more = True, False
        try:
            self._asking.ask(self.primary, query, partial(self._came_aside, check))
        except OSError as error:
            self._came_aside(check, error)

    def _came_aside(self, check: Check, answer: asking.Outcome) -> None:
        """Have what came in force; anything unusual is for `run`, which asks again."""
        self._is_aside = False
        if self._is_waiting and self._is_usual:
            try:
                outcome = self._read(answer, check, self._incoming(self.content.serial))
                if isinstance(outcome, Steps):
                    self._put(outcome)
                    self._succeeded()
                    if self._is_more:
                        self._ask_aside()
                    return
            except (*TROUBLE, ValueError) as error:
                log.debug("%s is asked again: %s", self.primary, error)
        self._notified.set()

    async def run(self) -> None:
        """Follow, until cancelled."""
        try:
            await self._follow()
        finally:
            self._asking.close()
            self._trying.close()

    async def _follow(self) -> None:
        while True:
            self._notified.clear()
            self._is_aside = False
            began, pause = asyncio.get_running_loop().time(), REFRESH_SECONDS
            try:
                await self._catch_up()
            except TROUBLE as error:
                self._failed(getattr(error, "strerror", None) or str(error) or "it did not answer in time")
                pause = max(RETRY_SECONDS - (asyncio.get_running_loop().time() - began), LEAST_PAUSE)
            else:
                self._succeeded()
            await self._wait(pause * self._random.uniform(1 - JITTER, 1 + JITTER))
            if asyncio.get_running_loop().time() >= self._preference.try_at - EARLY:
                self._try_first()

    async def _wait(self, seconds: float) -> None:
        """Until something is to be done, which is at the latest when no primary has been heard for so long."""
        now = asyncio.get_running_loop().time
        until, self._is_waiting = now() + seconds, True
        while not self._notified.is_set():
            if (rest := min(max(until, self.last_contact + seconds), self._preference.try_at) - now()) <= EARLY:
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._notified.wait()
        self._is_waiting = False

    def _failed(self, why: str) -> None:
        if why != self.failure:
            kept = "; the endpoints stay as they were" if self.synced.is_set() else ""
            log.warning("the registry %s: %s%s", self.primary, why, kept)
        self.failure = why
        self._preference.failed(asyncio.get_running_loop().time())

    def _try_first(self) -> None:
        """Ask the first primary aside what it has, while another one is followed."""
        self._preference.put_off(asyncio.get_running_loop().time())
        query, check = self._signed(ixfr_query(self._random.randrange(1 << 16), self._apex.soa(self.content.serial)))
        try:
            self._trying.ask(self._preference.first, query, partial(self._tried, check))
        except OSError as error:
            self._tried(check, error)

    def _tried(self, check: Check, answer: asking.Outcome) -> None:
        """Follow the first primary from now on, if it has at least what is here."""
        incoming = self._incoming(self.content.serial)
        try:
            self._read(answer, check, incoming)
        except TROUBLE as error:
            log.debug("%s is not followed yet: %s", self._preference.first, error)
            return
        if incoming.serial is not None and not later(self.content.serial, incoming.serial) and not self.failure:
            self._preference.take_first()
            self._notified.set()
            self._returned()

    def _succeeded(self) -> None:
        if self.failure:
            self._returned()
        self.failure = ""
        self.doubt.settle()
        self.last_contact = asyncio.get_running_loop().time()
        self.synced.set()

    def _returned(self) -> None:
        log.info("the registry %s answers again", self.primary)
        for tell in self.returned:
            tell(self.primary)

    async def _catch_up(self) -> None:
        """Ask until nothing is newer."""
        if self._is_partial or not self.synced.is_set():
            wanted = self._wanted_parts
            outcome = await self._by_tcp(None)
            self.parts, self._is_partial = wanted, wanted != self._wanted_parts
            await self._take(outcome)
            return
        outcome = await (self._by_udp() if self._is_usual else self._by_tcp(self.content.serial))
        if isinstance(outcome, Behind):
            outcome = await self._by_tcp(self.content.serial)
        try:
            await self._take(outcome, doubted=True)
        except ValueError as error:
            log.info("a difference from %s does not fit (%s): the whole zone is taken", self.primary, error)
            await self._take(await self._by_tcp(None), doubted=True)

    async def _take(self, outcome: Outcome, *, doubted: bool = False) -> None:
        """Put in force what came.  Raises ValueError for changes that do not fit.

        `doubted`: a whole zone takes the place of one that was as whole.  Raises TransferError if it is not believed.
        """
        if isinstance(outcome, Whole):
            await self._replace(outcome, doubted=doubted)
        elif isinstance(outcome, Steps):
            self._put(outcome)

    def _put(self, steps: Steps) -> None:
        if steps.changes:
            draft, before = Draft(self.content), self.content.serial
            for _, change in steps.changes:
                draft.apply(change)
            self.content.adopt(draft.nodes, steps.changes[-1][0])
            if self.history is not None:
                self.history.extend(before, steps.changes)
            self._tell(draft.nodes)

    async def _replace(self, whole: Whole, *, doubted: bool) -> None:
        """Have all that `whole` has, a slice at a time; names that have the same keep the same node."""
        content, fresh = self.content, Draft(Content(self.content.origin))
        for records in _slices(whole.records):
            for record in records:
                fresh.add(record)
            await asyncio.sleep(0)
        changed = {name: node for name, node in fresh.nodes.items() if content.nodes.get(name) != node}
        if doubted and (why := self.doubt.holds(content.nodes, fresh.nodes, asyncio.get_running_loop().time())):
            raise TransferError(why)
        changed.update(dict.fromkeys(content.nodes.keys() - fresh.nodes.keys(), ()))
        for names in _slices(tuple(changed)):
            content.adopt({name: changed[name] for name in names}, content.serial)
            await asyncio.sleep(0)
        content.serial = whole.serial
        if self.history is not None:
            self.history.clear()
        self._tell(changed)

    def _tell(self, names: Iterable[bytes]) -> None:
        for follow in self.followers:
            follow(names)

    async def _by_udp(self) -> Outcome:
        """What changed since our serial, as far as it fits into one message."""
        query, check = self._signed(self._difference())
        come: asyncio.Future[asking.Outcome] = asyncio.get_running_loop().create_future()
        self._asking.ask(self.primary, query, come.set_result)
        try:
            return self._read(await come, check, self._incoming(self.content.serial))
        finally:
            self._asking.forget()

    def _difference(self) -> bytes:
        return self._question.since(self.content.serial, self._options, self._random.randrange(1 << 16))

    def _read(self, answer: asking.Outcome, check: Check, incoming: Incoming) -> Outcome:
        """What a message says that is all there is."""
        if isinstance(answer, OSError):
            raise answer
        outcome = incoming.feed(parse_part(check(answer)), is_udp=True)
        check.end()
        assert outcome is not None  # a message by UDP is all there is, or raises
        return outcome

    async def _by_tcp(self, serial: int | None) -> Outcome:
        """What changed since `serial`; None: the whole zone."""
        message_id, origin = self._random.randrange(1 << 16), self.content.origin
        if serial is None:
            question = axfr_query(message_id, origin, self._options)
        else:
            question = ixfr_query(message_id, self._apex.soa(serial), self._options)
        query, verify = self._signed(question)
        incoming = self._incoming(serial)
        async with asking.connected(self.primary, TCP_SECONDS) as (reader, writer):
            writer.write(len(query).to_bytes(2, "big") + query)
            outcome: Outcome | None = None
            while outcome is None:
                async with asyncio.timeout(TCP_SECONDS):
                    answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                if answer[:2] != query[:2]:
                    raise TransferError("it answered something else")
                outcome = incoming.feed(parse_part(verify(answer)))
        verify.end()
        return outcome

    def _incoming(self, serial: int | None) -> Incoming:
        return Incoming(self.content.origin, serial, self._wanted)

    def _signed(self, query: bytes) -> tuple[bytes, Check]:
        return signed(query, self._key, self._wall)


def _slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[at : at + SLICE] for at in range(0, len(items), SLICE))
