"""The store on etcd, shared by several registries: any of them takes updates, and all have the same serials.

A zone's serial is the revision of its last change, modulo 2^32, so one number means one content everywhere.  A commit
is one transaction that holds only if nobody wrote meanwhile what it was decided on (`request`).  All changes, own
ones too, come back by one watch, in the order of revisions (`mirror`), and a commit is done when its own has; so
content and history are the same at every registry.  A watch that etcd ends, since it is too far behind, begins with
a new list.  Nothing that registrants wrote is ever removed by etcd itself: leases of etcd only say which registries
are there (`presence`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from random import Random
from typing import Final

from discovery.backoff import Backoff, BackoffPolicy
from discovery.registry.documents import Document, DocumentKey
from discovery.registry.etcd.client import Etcd, Json, pages, range_end, revision_of, text
from discovery.registry.etcd.documents import EtcdDocuments
from discovery.registry.etcd.mirror import Listing, Mirror, Told
from discovery.registry.etcd.presence import KEEP_SECONDS, Attendance, Presence
from discovery.registry.etcd.request import Transaction
from discovery.registry.etcd.values import keepers
from discovery.registry.store import Commit, Follower, Outdated, Past, Stored, StoreError

PAGE: Final = 200
"""Keys that are listed at once."""
SEEN_SECONDS: Final = 3.0
"""Within which the watch must bring what is committed."""
SLICE: Final = 8
"""Revisions that are put in force without a pause."""
RETRY: Final = BackoffPolicy(first=0.05, ceiling=1.0, jitter=0.5, immediate=1, forget_after=5.0)

log = logging.getLogger(__name__)


class EtcdStore:
    """A store of which several registries have one each."""

    most_names = 40

    def __init__(self, etcd: Etcd, prefix: bytes, keeper: bytes, *, random: Random, clock: Callable[[], float]) -> None:
        """`keeper`: what no other registry is called, nor was; `clock`: monotonic seconds."""
        self.keeper = keeper
        self.keepers = frozenset({keeper})
        self._etcd = etcd
        self._prefix = prefix
        self._random = random
        self._clock = clock
        self._documents = EtcdDocuments(etcd, prefix)
        self._mirror = Mirror(prefix, ())
        self._marker = keepers(prefix) + keeper
        self._presence = Presence()
        self._attendance = Attendance(etcd, self._marker, self._presence, clock)
        self._leading = prefix + b"leader"
        self._leader = b""
        """Who does what only one is to do, as it was seen last."""
        self._followers: dict[bytes, Follower] = {}
        self._marks: dict[bytes, bool] = {}
        """What is written beside the commits that are under way, and whether that came back."""
        self._turn = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._must_keep = asyncio.Event()

    @property
    def is_keeping(self) -> bool:
        """Whether this registry is there, for others."""
        return self._presence.is_sure(self._clock())

    def standby(self) -> str:
        """Why another of the registries does what only one is to do; empty: this one does."""
        if self._leader == self.keeper and self.is_keeping:
            return ""
        if not self._leader or self._leader == self.keeper:
            return "it is not known which registry acts"
        return f"the registry {self._leader.hex()} acts"

    async def open(self, origins: Sequence[bytes]) -> Mapping[bytes, Stored]:
        """Begin, with what is there.  Raises `StoreError` if etcd cannot be asked."""
        self._mirror = Mirror(self._prefix, origins)
        try:
            await self._attendance.keep()
            listings, there, revision = await self._list()
        except StoreError:
            await self.close()
            raise
        stored = {origin: listing.stored() for origin, listing in listings.items()}
        self._put_in_force(self._mirror.adopt(listings, there, revision))
        self._presence.there()
        return stored

    def follow(self, origin: bytes, follower: Follower) -> None:
        """Tell `follower` of what becomes of a zone; with the last zone's, changes begin to come."""
        self._followers[origin] = follower
        if not self._tasks and self._followers.keys() == self._mirror.zones.keys():
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(each) for each in (self._watch_on(), self._keep_on(), self._lead_on())]

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Keep all of these, and see them come.  Raises `Outdated` or `StoreError`."""
        self._turn += 1
        mark = self.keeper + self._turn.to_bytes(8, "big")
        transaction = Transaction(self._mirror, self._prefix, self.keeper)
        for commit in commits:
            transaction.add(commit, mark)
        self._marks[mark] = False
        try:
            await self._carry_out(transaction)
        except Outdated:
            raise
        except StoreError:
            if not self._marks[mark]:
                raise
        finally:
            del self._marks[mark]

    async def history(self, origin: bytes, since: int) -> Sequence[Past] | None:
        """Nothing beyond what the zone itself remembers: who has an unknown serial gets the zone as a whole."""
        return None

    async def documents(self) -> Sequence[Document]:
        """The manifests that are kept.  Raises `StoreError`."""
        return await self._documents.load()

    async def store_documents(self, put: Iterable[Document], gone: Iterable[DocumentKey]) -> None:
        """Change them, all or nothing.  Raises `StoreError`."""
        await self._documents.write(put, gone)

    async def documents_changed(self) -> None:
        """Wait until a registry may have changed them since this returned last."""
        await self._documents.changed()

    async def close(self) -> None:
        """Leave, so that others take over at once; once more does nothing."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(StoreError):  # then the marker ends by itself
            await self._attendance.leave()
        await self._etcd.close()

    async def _carry_out(self, transaction: Transaction) -> None:
        answer = await self._etcd.call("kv/txn", transaction.body())
        if not answer.get("succeeded"):
            await self._catch_up(answer)
            raise Outdated("somebody else was faster")
        if transaction.writes:
            await self._reached(revision_of(answer))

    async def _catch_up(self, answer: Json) -> None:
        """Until what a commit did not know of has come."""
        found = [kv for each in answer["responses"] for kv in each["response_range"].get("kvs", ())]
        if text(self._marker) not in {kv["key"] for kv in found}:
            self._attendance.lost()
            self._must_keep.set()
            raise StoreError("this registry was silent for so long that others take it for gone")
        await self._reached(max(int(kv["mod_revision"]) for kv in found))

    async def _reached(self, revision: int) -> None:
        """Until everything up to `revision` is in force here.  Raises `StoreError`."""
        if self._mirror.revision >= revision:
            return
        seen: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((revision, seen))
        try:
            async with asyncio.timeout(SEEN_SECONDS):
                await seen
        except TimeoutError:
            self._etcd.hang_up()
            raise StoreError(f"revision {revision} was not seen within {SEEN_SECONDS:g} s") from None
        finally:
            self._waiting = [each for each in self._waiting if each[1] is not seen]

    def _put_in_force(self, told: Told) -> None:
        self._marks.update(dict.fromkeys(told.own, True))
        if told.keepers is not None:
            self.keepers = told.keepers | {self.keeper}
            for follower in self._followers.values():
                follower.attend(self.keepers)
            if self.keeper not in told.keepers:
                self._attendance.lost()
                self._must_keep.set()
        for origin, arrival in told.arrivals.items():
            if origin in self._followers:
                self._followers[origin].arrive(arrival)

    def _wake(self) -> None:
        """Those who wait for a revision that has come."""
        for revision, seen in self._waiting:
            if revision <= self._mirror.revision and not seen.done():
                seen.set_result(None)

    async def _keep_on(self) -> None:
        """Stay among those that are there."""

        await self._over_and_over(self._keep, "this registry cannot tell others that it is there")

    async def _keep(self) -> None:
        """Once, and wait for the next time; what could not be refreshed meanwhile then has a full term."""
        self._must_keep.clear()
        was_sure = self.is_keeping
        if marked := await self._attendance.keep():
            await self._reached(marked)
            self._presence.there()
        if not (was_sure and self.is_keeping):
            for follower in self._followers.values():
                follower.resume()
        with suppress(TimeoutError):
            async with asyncio.timeout(KEEP_SECONDS):
                await self._must_keep.wait()

    async def _lead_on(self) -> None:
        """Do what only one is to do, if no other does."""
        await self._over_and_over(self._lead, "it is not known which registry acts")

    async def _lead(self) -> None:
        self._leader = await self._attendance.lead(self._leading, self.keeper)
        await asyncio.sleep(KEEP_SECONDS)

    async def _watch_on(self) -> None:
        """Follow what happens."""
        await self._over_and_over(self._watch, "what others change is not seen")

    async def _over_and_over(self, work: Callable[[], Coroutine[None, None, None]], failing: str) -> None:
        backoff = Backoff(RETRY, self._random)
        told = False
        while True:
            try:
                await work()
            except (StoreError, LookupError, TypeError, ValueError) as error:  # or it says what no etcd says
                if backoff.failures and not told:  # one that goes well at once is of no interest
                    log.error("%s: %s", failing, error)
                    told = True
                await asyncio.sleep(backoff.failed(self._clock()))
            else:
                backoff = Backoff(RETRY, self._random)
                if told:
                    log.info("etcd is there again")
                told = False

    async def _watch(self) -> None:
        """From where we are to the end of one watch.  Raises `StoreError` unless it only was silent."""
        key = {"key": text(self._prefix), "range_end": text(range_end(self._prefix))}
        request = {"create_request": {**key, "start_revision": str(self._mirror.revision + 1)}}
        async with aclosing(self._etcd.watch(request)) as watch:
            async for said in watch:
                if said.get("canceled"):
                    log.info("etcd ended a watch (%s): all is listed anew", said.get("cancel_reason") or "compacted")
                    await self._list_anew()
                    raise StoreError("etcd ended a watch")
                if said.get("created") and revision_of(said) < self._mirror.revision:
                    log.error("etcd is at an older revision than it was: all is listed anew")
                    await self._list_anew()
                    raise StoreError("etcd is at an older revision than it was")
                await self._take(said.get("events", ()))

    async def _take(self, events: Sequence[Json]) -> None:
        self._documents.see(events)
        for count, told in enumerate(self._mirror.take(events, self._marks), 1):
            self._put_in_force(told)
            if count % SLICE == 0:
                await asyncio.sleep(0)
        self._wake()

    async def _list_anew(self) -> None:
        self._documents.missed()
        self._put_in_force(self._mirror.adopt(*await self._list()))
        self._wake()

    async def _list(self) -> tuple[dict[bytes, Listing], set[bytes], int]:
        """All zones and registries as they are at one revision, and that; zones that are not there are made."""
        for zone in self._mirror.zones.values():
            content = text(zone.keys.content)
            puts = [{"request_put": {"key": text(key)}} for key in (zone.keys.content, zone.keys.terms)]
            is_new = {"key": content, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}
            await self._etcd.call("kv/txn", {"compare": [is_new], "success": puts})
        listings: dict[bytes, Listing] = {origin: Listing() for origin in self._mirror.zones}
        there: set[bytes] = set()
        revision = 0
        async for page in pages(self._etcd, self._prefix, PAGE):
            revision = revision or revision_of(page)
            self._mirror.read(page.get("kvs", ()), listings, there)
        return listings, there, revision
