"""The primary of a written zone: decides about updates, stores what they change, and only then shows it.

Updates that arrive while the store is busy are decided together, in order, on one draft, and stored as one change with
one serial (group commit); each gets its own answer.  Leases are settled when the change is stored, and what expires
goes the same way as what is removed.  What other registries store of the zone arrives beside that (see `store`); what
was decided on an older state then is decided anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from random import random
from typing import Final

from discovery.registry.content import Change, Content, Draft, RRset
from discovery.registry.custody import Custody
from discovery.registry.lease import Datum, Leases
from discovery.registry.lineage import Lineage
from discovery.registry.store import Arrival, Commit, Outdated, Past, Store, Stored, StoreError, Term, TooLarge, key_of
from discovery.registry.terms import Terms, term_of
from discovery.registry.transfer import Apex, History, Step, step_of
from discovery.registry.update import CHANGES_IN_STEP, Request, decision
from discovery.registry.wire import NOERROR, REFUSED, SERVFAIL, to_labels

MOST_WAITING: Final = 1024
"""Updates that wait for the store; more are told that the server failed, and come again."""
AT_ONCE: Final = 128
"""Updates that are decided together."""
MOST_TRIES: Final = 8
"""Of a commit that others were faster with."""
FIRST_PAUSE_SECONDS: Final = 0.004
"""At most, before the second try; twice as long before each other one."""
MOST_EXPIRED: Final = 1000
"""Records that are removed together, if the store takes so many; others are at the next look."""
TICK_SECONDS: Final = 1.0

log = logging.getLogger(__name__)

_NOTHING: Final = Change((), ())


_Asked = tuple[Request, asyncio.Future[int]]


class Primary:
    """One written zone; `run` is its only writer."""

    def __init__(
        self, apex: Apex, store: Store, stored: Stored, *,
        leases: Leases, clock: Callable[[], float], chance: Callable[[], float] = random, gap: int = 0,
    ) -> None:  # fmt: skip
        """`clock`: monotonic seconds; `stored`: what the store has of the zone; `chance`: 0 to 1, at random;
        `gap`: serials that are left out, as `lineage` says."""
        self.apex = apex
        self.content = Content(apex.origin, stored.serial)
        self.content.begin(stored.nodes)
        self.history = History(apex)
        self.leases = leases
        self.followers: list[Callable[[Iterable[bytes]], None]] = []
        """Called with the names that changed, once that is stored and in `content`."""
        self._store = store
        self._clock = clock
        self._chance = chance
        self._waiting: list[_Asked] = []
        self._woken = asyncio.Event()
        self._failing = False
        self._lineage = Lineage(gap)
        self._expire_at_once = MOST_EXPIRED
        self._custody = Custody(leases, store.keeper, clock)
        self._beginning = self._custody.begin(stored.terms, store.keepers)
        """`run` gives what is stored its leases, a step at a time, before it does anything else."""
        store.follow(apex.origin, self)

    def refresh(self, fingerprint: bytes, terms: Terms) -> bool:
        """Whether this is a refresh that is known by its bytes, and is done with that."""
        return self._store.is_keeping and self.leases.refresh(fingerprint, terms.lease, self._clock())

    def submit(self, request: Request) -> asyncio.Future[int]:
        """Carry out an update: the rcode is there once whatever it changed is stored; cancelled at the end of `run`."""
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if len(self._waiting) >= MOST_WAITING:
            answer.set_result(SERVFAIL)
        else:
            self._waiting.append((request, answer))
            self._woken.set()
        return answer

    def overtaken(self, serial: int) -> None:
        """Somebody has `serial` of this zone; if that was never given out, it goes on from there."""
        if not self._store.keeper and self._lineage.hear(serial, self.content.serial):
            self._woken.set()

    async def since(self, serial: int) -> Sequence[Step] | None:
        """What happened after `serial`; None: that is not known any more."""
        if serial == self.content.serial:
            return []
        steps = self.history.since(serial)
        if steps is None:
            past = await self._store.history(self.apex.origin, serial)
            steps = None if past is None else [step_of(each, self.apex) for each in past]
        return steps

    def arrive(self, arrival: Arrival) -> None:
        """This is stored: put it in force."""
        self._begin()
        before = self.content.serial
        nodes = dict(arrival.nodes)
        if arrival.is_whole:
            nodes.update(dict.fromkeys(self.content.nodes.keys() - nodes.keys(), ()))
        change = arrival.change
        if change is None:
            draft = Draft(self.content)
            draft.nodes = nodes
            change = draft.change()
        self._custody.follow(arrival, change)
        if arrival.serial != before:
            self.content.adopt(nodes, arrival.serial)
            self.history.add(Past(before, arrival.serial, change))
            touched = {record.name for record in (*change.removed, *change.added)} if arrival.is_whole else nodes
            for follow in self.followers:
                follow(touched)

    def attend(self, keepers: frozenset[bytes]) -> None:
        """These registries serve the zone now."""
        self._begin()
        self._custody.attend(keepers)

    def resume(self) -> None:
        """Others know of this registry again: what it keeps was not refreshed meanwhile."""
        self._begin()
        self.leases.restart(self._clock())

    async def run(self) -> None:
        """Carry out what is submitted, and let expire what is not refreshed, until cancelled."""
        try:
            for _ in self._beginning:
                await asyncio.sleep(0)
            while True:
                await self._wait()
                batch = self._batch()
                try:
                    await self._carry_out(batch)
                finally:
                    _give_up(batch)
                await self._overtake()
                await self._expire()
        finally:
            _give_up(self._waiting)

    async def _overtake(self) -> None:
        """Go on after a serial that others have."""
        before = self.content.serial
        jump = self._lineage.jump(before, self._clock())
        if jump is not None and await self._kept(Commit(self.apex.origin, before, jump[1], _NOTHING, {})):
            words = "%s: others have the serial %d, but the store had %d: it is new, or an older copy"
            log.warning(words, _text(self.apex.origin), jump[0], before)

    def _begin(self) -> None:
        """Do at once what `run` has not come to."""
        for _ in self._beginning:
            pass

    async def _wait(self) -> None:
        """Until there is something to do, or it is time to look at the leases."""
        if not self._waiting:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._woken.wait()

    def _batch(self) -> list[_Asked]:
        """The updates that are decided together, by their number and by what the store does well."""
        names = 0
        for count, (request, _) in enumerate(self._waiting[:AT_ONCE]):
            names += len(request.update.changes) + len(request.update.prerequisites)
            if names > self._store.most_names and count:
                break
        else:
            count = AT_ONCE
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    async def _carry_out(self, batch: list[_Asked]) -> None:
        rcodes = [SERVFAIL] * len(batch)
        for tried in range(MOST_TRIES):
            try:
                rcodes = await self._decide(batch)
            except Outdated:  # two that are as fast would be in each other's way again
                await asyncio.sleep(FIRST_PAUSE_SECONDS * (1 << tried) * self._chance())
                continue
            except TooLarge as error:
                if len(batch) > 1:  # together, maybe, and one by one not
                    for each in batch:
                        await self._carry_out([each])
                    return
                log.warning("an update of %s is refused: %s", _text(self.apex.origin), error)
                rcodes = [REFUSED]
            break
        for (_, answer), rcode in zip(batch, rcodes, strict=True):
            if not answer.done():
                answer.set_result(rcode)

    async def _decide(self, batch: list[_Asked]) -> list[int]:
        """Decide, and store what that changes: the rcodes.  Raises `Outdated`, `TooLarge`."""
        draft = Draft(self.content)
        rcodes = [await self._decided(draft, request) for request, _ in batch]
        accepted = [request for (request, _), rcode in zip(batch, rcodes, strict=True) if rcode == NOERROR]
        change = draft.change()
        await self._pause(change)
        terms = self._terms(accepted, draft, change)
        await self._pause(change)
        if not await self._stored(draft, change, terms, self._read(batch)):
            return [SERVFAIL if rcode == NOERROR else rcode for rcode in rcodes]
        rest = change
        for request in accepted:
            await self._pause(change)
            self._settle(request, draft, rest)
            rest = _NOTHING
        return rcodes

    async def _decided(self, draft: Draft, request: Request) -> int:
        """Try out one update: its rcode."""
        steps = decision(draft, request.update, request.scope, self._apex_node())
        while True:
            try:
                next(steps)
            except StopIteration as done:
                rcode: int = done.value
                return rcode
            if not self._store.keeper:
                await asyncio.sleep(0)

    async def _pause(self, change: Change) -> None:
        """Hand the loop back amid a large change, unless the store is shared, so that others may write meanwhile."""
        if not self._store.keeper and len(change.added) + len(change.removed) > CHANGES_IN_STEP:
            await asyncio.sleep(0)

    def _read(self, batch: list[_Asked]) -> dict[bytes, bool]:
        """The names on which a batch is decided, where others may write them meanwhile."""
        if not self._store.keeper:
            return {}
        updates = [request.update for request, _ in batch]
        names = {record.name for update in updates for record in (*update.prerequisites, *update.changes)}
        return {name: name in self.content.nodes for name in names if self.content.within(name)}

    def _settle(self, request: Request, draft: Draft, change: Change) -> None:
        self.leases.settle(
            request.owner, request.update, draft,
            change=change, terms=request.terms, now=self._clock(), fingerprint=request.fingerprint,
        )  # fmt: skip

    def _apex_node(self) -> tuple[RRset, RRset]:
        """SOA and NS as they are now, for prerequisites."""
        soa, ns = self.apex.soa(self.content.serial), self.apex.ns()
        return RRset(soa.type, soa.ttl, (soa.data,)), RRset(ns.type, ns.ttl, (ns.data,))

    def _terms(self, accepted: Iterable[Request], draft: Draft, change: Change) -> dict[Datum, Term | None]:
        """What the store must know of leases: those of new records, and those that are not what they were.

        A record that comes anew because the TTL of its set changed keeps the lease that it has.
        """
        lasting = self._custody.lasting
        listed: dict[Datum, Term | None] = {}
        for request in accepted:
            for record in request.update.added():
                listed[key_of(record)] = term_of(request.terms, request.owner, record.type, self._store.keeper)
        fresh = set(map(key_of, change.added))
        terms = {datum: listed[datum] if datum in listed else lasting(datum) for datum in fresh | listed.keys()}
        return {
            datum: term
            for datum, term in terms.items()
            if (term != lasting(datum) or (datum in fresh and term is not None)) and draft.has(*datum)
        }

    async def _stored(
        self, draft: Draft, change: Change, terms: dict[Datum, Term | None], read: Mapping[bytes, bool],
        absent: Collection[bytes] = (),
    ) -> bool:  # fmt: skip
        """Store what the draft changed, which puts it in force; False: that failed.  Raises `Outdated`, `TooLarge`."""
        if change == _NOTHING and not terms and not read:
            return True
        before = self.content.serial
        serial = self._lineage.next(before) if change != _NOTHING else before
        nodes = {**{name: draft.get(name) for name, _, _ in terms}, **draft.nodes}
        return await self._kept(Commit(self.apex.origin, before, serial, change, terms, nodes, read, absent))

    async def _kept(self, commit: Commit) -> bool:
        """Have it stored; False: that failed.  Raises `Outdated`, `TooLarge`."""
        try:
            await self._store.commit([commit])
        except (Outdated, TooLarge):
            raise
        except StoreError as error:
            if not self._failing:
                log.error("updates of %s are refused: %s", _text(self.apex.origin), error)
            self._failing = True
            return False
        if self._failing:
            log.info("updates of %s are stored again", _text(self.apex.origin))
        self._failing = False
        if commit.serial != commit.before:
            self._lineage.stored()
        return True

    async def _expire(self) -> None:
        """Remove what nobody refreshed in time; what is not so any more is looked at again."""
        was_suspended = self.leases.is_suspended
        due = self.leases.due(self._clock())[: self._expire_at_once] if self._store.is_keeping else []
        if self.leases.is_suspended != was_suspended:
            self._tell_suspended()
        if not due:
            return
        draft = Draft(self.content)
        for datum in due:
            draft.remove(*datum)
        read = {name: name in self.content.nodes for name, _, _ in due} if self._store.keeper else {}
        try:
            with suppress(Outdated):
                if await self._stored(draft, draft.change(), {}, read, self._custody.absent(due)):
                    self.leases.expired(due, self._clock())
                    self._expire_at_once = min(2 * self._expire_at_once, MOST_EXPIRED)
        except TooLarge:
            self._expire_at_once = max(len(due) // 2, 1)

    def _tell_suspended(self) -> None:
        if self.leases.is_suspended:
            log.warning(
                "too many of the %d leased records of %s are not refreshed: nothing expires until most are again; "
                "endpoints are left to the proxies' own checks", self.leases.records, _text(self.apex.origin),
            )  # fmt: skip
        else:
            log.info("leases of %s expire again", _text(self.apex.origin))


def _give_up(asked: list[_Asked]) -> None:
    """Cancel those who still wait."""
    for _, answer in asked:
        answer.cancel()
    asked.clear()


def _text(name: bytes) -> str:
    return b".".join(to_labels(name)).decode("ascii", "backslashreplace")
