"""The primary: updates decided together, stored, and only then shown."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from discovery.registry.content import Change, Content, RRset, content_of, next_serial
from discovery.registry.keys import EVERYTHING, Scope
from discovery.registry.lease import Leases
from discovery.registry.lineage import PAUSE_SECONDS
from discovery.registry.messages import absent, removed
from discovery.registry.primary import MOST_TRIES, MOST_WAITING, Primary
from discovery.registry.store import (
    Alone,
    Arrival,
    Commit,
    Outdated,
    Past,
    RecordKey,
    Stored,
    StoreError,
    Term,
    TooLarge,
    key_of,
)
from discovery.registry.terms import Terms
from discovery.registry.transfer import step_of
from discovery.registry.update import CHANGES_IN_STEP, Request, Update
from discovery.registry.wire import NOERROR, REFUSED, SERVFAIL, YXDOMAIN, Record
from tests.discovery.registry.test_transfer import APEX, ORIGIN, record

A1, A2, A3 = record("a.shop.default"), record("b.shop.default"), record("c.shop.default")


def as_stored(serial: int, *records: Record, leased: Mapping[Term, Sequence[Record]] | None = None) -> Stored:
    terms = {term: content_of(ORIGIN, serial, some).nodes for term, some in (leased or {}).items()}
    return Stored(serial, content_of(ORIGIN, serial, records).nodes, terms)


class Memory(Alone):
    """A store whose disk is a list; `gate` holds commits back, and `broken` fails them."""

    def __init__(self, stored: Stored | None = None) -> None:
        super().__init__()
        self.stored = stored or as_stored(7)
        self.commits: list[Commit] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def open(self, origins: Sequence[bytes]) -> Mapping[bytes, Stored]:
        return {origin: self.stored._replace(nodes=dict(self.stored.nodes)) for origin in origins}

    async def commit(self, commits: Sequence[Commit]) -> None:
        await self.gate.wait()
        if self.broken:
            raise StoreError("the disk is full")
        self.commits += commits
        self.tell(commits)

    async def history(self, origin: bytes, since: int) -> Sequence[Past] | None:
        past = [Past(each.before, each.serial, each.change) for each in self.commits]
        starts = [index for index, each in enumerate(past) if each.before == since]
        return past[starts[0] :] if starts else None

    async def close(self) -> None:
        """Nothing to let go of."""


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def primary(store: Memory, clock: Clock | None = None) -> AsyncIterator[Primary]:
    made = Primary(APEX, store, store.stored, leases=Leases(pause=1000, few=100), clock=clock or Clock())
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def asks(
    *changes: Record, needs: Iterable[Record] = (), terms: Terms | None = None, scope: Scope = EVERYTHING,
    fingerprint: bytes = b"",
) -> Request:  # fmt: skip
    return Request(Update(ORIGIN, tuple(needs), changes), scope, b"", terms, fingerprint)


def there(content: Content) -> set[Record]:
    return set(content.records())


async def test_what_is_answered_is_stored() -> None:
    store = Memory()
    async with primary(store) as made:
        assert await made.submit(asks(A1)) == NOERROR
        assert there(made.content) == {A1}
        assert await made.submit(asks(removed(A1), A2)) == NOERROR
        assert (there(made.content), made.content.serial) == ({A2}, 9)
    assert [(each.before, each.serial) for each in store.commits] == [(7, 8), (8, 9)]
    assert [(each.change.removed, each.change.added) for each in store.commits] == [((), (A1,)), ((A1,), (A2,))]


async def test_nothing_is_shown_or_answered_before_it_is_stored() -> None:
    store = Memory()
    async with primary(store) as made:
        store.gate.clear()
        seen: list[bytes] = []
        made.followers.append(seen.extend)
        asked = made.submit(asks(A1))
        await asyncio.sleep(0.01)
        assert (asked.done(), made.content.serial, there(made.content), seen) == (False, 7, set(), [])
        store.gate.set()
        assert await asked == NOERROR
        assert (made.content.serial, there(made.content), seen) == (8, {A1}, [A1.name])


async def test_what_arrives_meanwhile_is_one_change() -> None:
    store = Memory()
    async with primary(store) as made:
        store.gate.clear()
        first = made.submit(asks(A1))
        await asyncio.sleep(0.01)
        more = [
            made.submit(request)
            for request in (
                asks(A2), asks(A3, needs=[absent(A2.name)]), asks(A3, scope=Scope()), asks(removed(A2)), asks(A3)
            )
        ]  # fmt: skip
        await asyncio.sleep(0.01)
        store.gate.set()
        assert [await each for each in (first, *more)] == [NOERROR, NOERROR, YXDOMAIN, REFUSED, NOERROR, NOERROR]
        assert there(made.content) == {A1, A3}
    assert [each.change.added for each in store.commits] == [(A1,), (A3,)]
    assert store.commits[1].change.removed == ()


async def test_what_changes_nothing_is_not_stored() -> None:
    store = Memory()
    async with primary(store) as made:
        assert [await made.submit(asks(A1)), await made.submit(asks(A1)), await made.submit(asks())] == [NOERROR] * 3
        assert made.content.serial == 8
    assert len(store.commits) == 1


async def test_a_store_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    store = Memory()
    async with primary(store) as made:
        store.broken = True
        assert await made.submit(asks(A1)) == SERVFAIL
        assert await made.submit(asks(A1, scope=Scope())) == REFUSED
        assert await made.submit(asks(A1)) == SERVFAIL
        assert (there(made.content), made.content.serial) == (set(), 7)
        store.broken = False
        assert await made.submit(asks(A1)) == NOERROR
        assert made.content.serial == 8
    told = [each.getMessage() for each in caplog.records]
    assert told == ["updates of endpoints.cluster.local are refused: the disk is full"]


async def test_too_many_are_told_to_come_again() -> None:
    store = Memory()
    async with primary(store) as made:
        store.gate.clear()
        asked = [made.submit(asks(A1)) for _ in range(MOST_WAITING + 200)]
        await asyncio.sleep(0.05)
        store.gate.set()
        rcodes = [await each for each in asked]
    assert rcodes.count(SERVFAIL) >= 1
    assert rcodes.count(NOERROR) >= MOST_WAITING


async def test_leases_are_stored_and_renewed_in_memory_alone() -> None:
    store, clock = Memory(), Clock()
    async with primary(store, clock) as made:
        refresh = asks(A1, A2, terms=Terms(30), fingerprint=b"f")
        assert await made.submit(refresh) == NOERROR
        assert store.commits[0].terms == {key_of(A1): Term(b"", 30), key_of(A2): Term(b"", 30)}
        clock.now += 20
        assert made.refresh(b"f", Terms(30))
        clock.now += 20
        assert await made.submit(refresh) == NOERROR
        clock.now += 20
        assert not made.leases.due(clock.now)
    assert len(store.commits) == 1


async def test_what_is_not_refreshed_goes() -> None:
    store, clock = Memory(), Clock()
    async with primary(store, clock) as made:
        assert await made.submit(asks(A1, terms=Terms(30))) == NOERROR
        assert await made.submit(asks(A2)) == NOERROR
        clock.now += 31
        assert await made.submit(asks(A3)) == NOERROR
        await asyncio.sleep(0.01)
        assert there(made.content) == {A2, A3}
        assert made.leases.records == 0
    assert store.commits[-1].change.removed == (A1,)


async def test_a_lease_that_is_given_up_or_begun_later_is_stored() -> None:
    store, clock = Memory(), Clock()
    async with primary(store, clock) as made:
        await made.submit(asks(A1, terms=Terms(30)))
        await made.submit(asks(A1))
        await made.submit(asks(A1, terms=Terms(60)))
        assert [each.terms for each in store.commits] == [
            {key_of(A1): Term(b"", 30)}, {key_of(A1): None}, {key_of(A1): Term(b"", 60)},
        ]  # fmt: skip
        assert [each.serial for each in store.commits] == [8, 8, 8]


async def test_a_record_keeps_its_lease_when_the_ttl_of_its_set_changes() -> None:
    store, other = Memory(), record("a.shop.default", b"\5\5\5\5")
    async with primary(store) as made:
        await made.submit(asks(A1, terms=Terms(30)))
        await made.submit(asks(other._replace(ttl=9)))
        assert there(made.content) == {A1._replace(ttl=9), other._replace(ttl=9)}
        assert store.commits[1].terms == {key_of(A1): Term(b"", 30)}


async def test_another_term_is_stored_and_the_same_is_not() -> None:
    store, key = Memory(), record("a.shop.default", b"\1\2\3\4", 25)
    async with primary(store) as made:
        await made.submit(asks(A1, key, terms=Terms(30, 90)))
        await made.submit(asks(A1, terms=Terms(30)))
        await made.submit(asks(A1, terms=Terms(45)))
        assert [each.terms for each in store.commits] == [
            {key_of(A1): Term(b"", 30), key_of(key): Term(b"", 90)}, {key_of(A1): Term(b"", 45)},
        ]  # fmt: skip


async def test_after_a_restart_leases_live_for_a_full_term() -> None:
    store, clock = Memory(as_stored(9, A1, A2, leased={Term(b"\1k\0", 30): [A1]})), Clock()
    async with primary(store, clock) as made:
        assert there(made.content) == {A1, A2}
        await made.submit(asks())
        clock.now += 29
        await made.submit(asks())
        assert there(made.content) == {A1, A2}
        clock.now += 2
        await made.submit(asks())
        await asyncio.sleep(0.01)
        assert there(made.content) == {A2}


def test_what_is_stored_has_its_leases_before_anything_arrives() -> None:
    store, clock = Memory(as_stored(9, A1, A2, leased={Term(b"\1k\0", 30): [A1]})), Clock()
    made = Primary(APEX, store, store.stored, leases=Leases(), clock=clock)
    assert made.leases.records == 0
    made.arrive(Arrival(10, {A1.name: ()}, {}, Change((A1,), ())))
    assert made.leases.records == 0
    assert A1 not in there(made.content)
    made = Primary(APEX, store, store.stored, leases=Leases(), clock=clock)
    made.attend(frozenset())
    assert made.leases.records == 1


async def test_mass_expiry_is_held_back(caplog: pytest.LogCaptureFixture) -> None:
    store, clock = Memory(), Clock()
    made = Primary(APEX, store, store.stored, leases=Leases(pause=1000, few=0), clock=clock)
    running = asyncio.create_task(made.run())
    await made.submit(asks(A1, A2, terms=Terms(30)))
    clock.now += 40
    await made.submit(asks())
    await asyncio.sleep(0.01)
    assert there(made.content) == {A1, A2}
    assert "nothing expires until most are again" in caplog.text
    running.cancel()
    await asyncio.wait([running])


async def test_the_past() -> None:
    store = Memory()
    async with primary(store) as made:
        for each in (A1, A2, A3):
            await made.submit(asks(each))
        assert await made.since(10) == []
        steps = await made.since(8)
        assert steps is not None
        assert [step.serial for step in steps] == [9, 10]
        made.history.clear()
        again = await made.since(8)
        assert again == [step_of(Past(each.before, each.serial, each.change), APEX) for each in store.commits[1:]]
        assert await made.since(3) is None


async def test_the_end_cancels_those_who_wait() -> None:
    store = Memory()
    async with primary(store) as made:
        store.gate.clear()
        asked = [made.submit(asks(each)) for each in (A1, A2)]
        await asyncio.sleep(0.01)
        asked.append(made.submit(asks(A3)))
        await asyncio.sleep(0.01)
    done, pending = await asyncio.wait(asked, timeout=1)
    assert not pending
    assert all(each.cancelled() for each in done)


def test_serials_leave_out_zero() -> None:
    assert list(itertools.accumulate(range(3), lambda serial, _: next_serial(serial), initial=0xFFFFFFFE)) == [
        0xFFFFFFFE, 0xFFFFFFFF, 1, 2,
    ]  # fmt: skip


class Shared(Memory):
    """A store that others use too: `faster` is what they do before a commit of ours."""

    keeper = b"me"
    keepers = frozenset({b"me", b"other"})

    def __init__(self, stored: Stored | None = None) -> None:
        super().__init__(stored)
        self.faster: list[Callable[[], None]] = []
        self.tries: list[Commit] = []
        self.keeping = True

    @property
    def is_keeping(self) -> bool:  # type: ignore[override]
        return self.keeping

    async def commit(self, commits: Sequence[Commit]) -> None:
        self.tries += commits
        await asyncio.sleep(0)
        if self.faster:
            self.faster.pop(0)()
            raise Outdated("somebody was faster")
        await super().commit(commits)


def foreign(made: Primary, serial: int, *records: Record, terms: Mapping[RecordKey, Term | None] = {}) -> None:
    """Another registry stored these."""
    nodes = {each.name: (RRset(each.type, each.ttl, (each.data,)),) for each in records}
    made.arrive(Arrival(serial, nodes, terms))


async def test_what_others_store_is_in_force_at_once() -> None:
    store, seen = Shared(), list[bytes]()
    async with primary(store) as made:
        made.followers.append(seen.extend)
        foreign(made, 9, A1)
        assert (there(made.content), made.content.serial, seen) == ({A1}, 9, [A1.name])
        steps = await made.since(7)
        assert steps is not None
        assert [(step.before, step.serial) for step in steps] == [(7, 9)]
        made.arrive(Arrival(12, {A2.name: (RRset(A2.type, A2.ttl, (A2.data,)),)}, {}, is_whole=True))
        assert there(made.content) == {A2}
        assert sorted(seen[1:]) == [A1.name, A2.name]


async def test_who_was_slower_decides_anew() -> None:
    store = Shared()
    async with primary(store) as made:
        store.faster = [lambda: foreign(made, 8, A1)]
        asked = [made.submit(asks(A1, needs=[absent(A1.name)])), made.submit(asks(A2))]
        assert [await each for each in asked] == [YXDOMAIN, NOERROR]
        assert there(made.content) == {A1, A2}
        assert [each.read for each in store.tries] == [
            {A1.name: False, A2.name: False}, {A1.name: True, A2.name: False}
        ]  # fmt: skip


async def test_who_is_slower_all_the_time_is_told_to_come_again() -> None:
    store = Shared()
    async with primary(store) as made:
        store.faster = [lambda: None] * MOST_TRIES
        chances = iter([0.0] * MOST_TRIES)  # before each other try it waits for a time at random
        made._chance = lambda: next(chances)
        assert await made.submit(asks(A1)) == SERVFAIL
        assert not list(chances)
        assert await made.submit(asks(A1)) == NOERROR
        assert len(store.tries) == MOST_TRIES + 1


async def test_what_changes_nothing_is_asked_of_a_shared_store() -> None:
    store = Shared()
    async with primary(store) as made:
        assert await made.submit(asks(A1)) == NOERROR
        assert await made.submit(asks(A1)) == NOERROR
        assert store.tries[1].read == {A1.name: True}


async def test_a_batch_has_no_more_names_than_the_store_does_well() -> None:
    store = Shared()
    store.most_names = 2
    async with primary(store) as made:
        asked = [made.submit(asks(each)) for each in (A1, A2, A3)]
        assert [await each for each in asked] == [NOERROR] * 3
        assert await made.submit(asks(*map(removed, (A1, A2, A3)))) == NOERROR
        assert [len(each.read) for each in store.tries] == [2, 1, 3]


class Small(Memory):
    """Takes so many names at once."""

    def __init__(self, most: int, stored: Stored | None = None) -> None:
        super().__init__(stored)
        self.most = most

    async def commit(self, commits: Sequence[Commit]) -> None:
        if sum(len(each.nodes) for each in commits) > self.most:
            raise TooLarge("more than it takes at once")
        await super().commit(commits)


async def test_what_the_store_never_takes_is_refused_and_nothing_else_is(caplog: pytest.LogCaptureFixture) -> None:
    async with primary(Small(1)) as made:
        asked = [made.submit(each) for each in (asks(A1), asks(A1, A2, A3), asks(A2))]
        assert [await each for each in asked] == [NOERROR, REFUSED, NOERROR]
        assert there(made.content) == {A1, A2}
    assert "is refused: more than it takes at once" in caplog.text


async def test_what_is_too_much_to_expire_at_once_expires_in_parts() -> None:
    store, clock = Small(2, as_stored(9, A1, A2, A3, leased={Term(b"", 30): [A1, A2, A3]})), Clock()
    async with primary(store, clock) as made:
        assert await made.submit(asks()) == NOERROR
        clock.now += 31
        until = time.monotonic() + 10
        while there(made.content) and time.monotonic() < until:
            await made.submit(asks())
        assert there(made.content) == set()
        assert all(len(each.nodes) <= 2 for each in store.commits)


async def test_who_refreshes_at_another_registry_is_kept_there() -> None:
    theirs = Term(b"", 30, b"other")
    store = Shared(as_stored(9, A1, leased={theirs: [A1]}))
    async with primary(store) as made:
        assert made.leases.records == 0
        assert await made.submit(asks(A1, terms=Terms(30), fingerprint=b"f")) == NOERROR
        assert store.commits[-1].terms == {key_of(A1): Term(b"", 30, b"me")}
        assert store.commits[-1].serial == 9
        assert made.refresh(b"f", Terms(30))
        store.keeping = False
        assert not made.refresh(b"f", Terms(30))
        store.keeping = True
        made.arrive(Arrival(9, {}, {key_of(A1): theirs}))
        assert not made.refresh(b"f", Terms(30))


async def test_nothing_expires_while_others_may_take_this_registry_for_gone() -> None:
    store, clock = Shared(), Clock()
    async with primary(store, clock) as made:
        assert await made.submit(asks(A1, terms=Terms(30))) == NOERROR
        store.keeping = False
        clock.now += 31
        assert await made.submit(asks(A2)) == NOERROR
        assert there(made.content) == {A1, A2}
        store.keeping = True
        made.resume()
        clock.now += 29
        assert await made.submit(asks(A2)) == NOERROR
        assert there(made.content) == {A1, A2}


async def test_what_a_registry_left_behind_is_removed_only_if_it_is_gone() -> None:
    store, clock = Shared(as_stored(9, A1, leased={Term(b"", 30, b"gone"): [A1]})), Clock()
    async with primary(store, clock) as made:
        assert await made.submit(asks()) == NOERROR
        clock.now += 31
        assert await made.submit(asks()) == NOERROR
        await asyncio.sleep(0.01)
        assert there(made.content) == set()
        assert store.commits[-1].absent == {b"gone"}


async def test_a_large_update_hands_the_loop_back_and_is_seen_as_a_whole() -> None:
    store, large = Memory(), [record(f"h{number}.shop.default") for number in range(4 * CHANGES_IN_STEP)]
    async with primary(store) as made:
        answer, seen = made.submit(asks(*large, terms=Terms(30))), []
        while not answer.done():
            seen.append(len(made.content))
            await asyncio.sleep(0)
        assert set(seen) <= {0, len(large)}
        assert seen.count(0) > 4
        assert (made.content.serial, made.leases.records) == (8, len(large))


async def test_who_is_ahead_is_overtaken_once_that_can_be_stored(caplog: pytest.LogCaptureFixture) -> None:
    store, clock = Memory(), Clock()
    async with primary(store, clock) as made:
        store.broken = True
        made.overtaken(1000)
        assert await made.submit(asks(A1)) == SERVFAIL
        assert await made.submit(asks(A1)) == SERVFAIL
        store.broken = False
        clock.now += PAUSE_SECONDS
        assert await made.submit(asks(A1)) == NOERROR
        assert await made.submit(asks(A2)) == NOERROR
        assert made.content.serial == 1002
    told = [each.getMessage() for each in caplog.records]
    assert sum("others have the serial 1000, but the store had 8" in each for each in told) == 1


async def test_a_store_that_is_shared_has_its_serials_to_itself() -> None:
    async with primary(Shared()) as made:
        made.overtaken(1000)
        assert await made.submit(asks(A1)) == NOERROR
        assert await made.submit(asks(A2)) == NOERROR
        assert made.content.serial == 9
