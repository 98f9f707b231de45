"""Registries that share an etcd: whatever happens to one of them, or to etcd, what was acknowledged is there."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio
from msgspec.structs import replace

from config.etcd import read_access
from config.meta import Named, ObjectMeta
from config.resources.core import Secret
from config.settings import EtcdSettings
from discovery.catalog import Catalog
from discovery.registry.documents import Document, DocumentKey
from discovery.registry.etcd import presence as etcd_presence
from discovery.registry.etcd import store as etcd_store
from discovery.registry.etcd.client import Access, Etcd, range_end, text
from discovery.registry.etcd.request import MOST_NAMES
from discovery.registry.etcd.store import EtcdStore
from discovery.registry.messages import absent, removed
from discovery.registry.primary import Primary
from discovery.registry.registrations import registered
from discovery.registry.resolv_conf import Resolver
from discovery.registry.store import Store, StoreError
from discovery.registry.targets import node_records
from discovery.registry.terms import Terms
from discovery.registry.wire import IN, NOERROR, PTR, REFUSED, SERVFAIL, YXDOMAIN, Record
from sidecar.stores import context_of, store_of
from tests.certificates import Authority
from tests.discovery.registry.registries import Registry, registry
from tests.discovery.registry.test_primary import asks, there
from tests.discovery.registry.test_transfer import ORIGIN, record
from tests.discovery.sources.test_registry import ONE, SERVICES, SHOP
from tests.interop.etcds import PREFIX, Gated, Process, Server, joined, registries
from tests.interop.programs import needs, run
from tests.interop.writers import Writer
from tests.sidecar.test_registry import NODES, opened, settings, write

pytestmark = needs("etcd")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("etcd"))
    try:
        yield made
    finally:
        made.close()


@pytest_asyncio.fixture
async def server(shared: Server) -> Server:
    """One that runs and holds nothing; a test may end it, and starts it again."""
    shared.revive()
    await shared.ready()
    await shared.ask("kv/deleterange", {"key": "AA==", "range_end": "AA=="})
    return shared


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def equal(*primaries: Primary) -> bool:
    first = primaries[0].content
    return all((each.content.serial, each.content.nodes) == (first.serial, first.nodes) for each in primaries)


async def test_what_one_takes_all_have(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        a1, a2 = record("a.shop.default"), record("b.shop.default")
        assert await one.primary.submit(asks(a1)) == NOERROR
        serial = one.primary.content.serial
        await until(lambda: two.primary.content.serial == serial)
        assert there(two.primary.content) == {a1}
        assert await two.primary.submit(asks(removed(a1), a2)) == NOERROR
        await until(lambda: equal(one.primary, two.primary))
        assert there(one.primary.content) == {a2}
        for each in (one.primary, two.primary):
            steps = await each.since(serial)
            assert steps is not None
            assert [(step.before, step.serial) for step in steps] == [(serial, each.content.serial)]


async def xfr(each: Registry, kind: str) -> list[str]:
    return await dig(each.host, each.port, kind)


async def dig(host: str, port: int, kind: str) -> list[str]:
    """What `dig` gets of the zone, in no order."""
    argv = ("dig", f"@{host}", "-p", str(port), "+tcp", "+noall", "+answer", "+onesoa", "endpoints.cluster.local", kind)
    return sorted((await asyncio.to_thread(run, *argv)).stdout.decode().splitlines())


async def test_both_hand_on_the_same(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        first = one.primary.content.serial
        for number in range(20):
            each = (one, two)[number % 2].primary
            assert await each.submit(asks(record(f"h{number % 7}.shop.default", bytes([10, 0, 0, number])))) == NOERROR
        await until(lambda: equal(one.primary, two.primary))
        for kind in ("axfr", f"ixfr={first}"):
            lines = await xfr(one, kind)
            assert lines == await xfr(two, kind)
            assert len(lines) > 20
        # A serial that nobody remembers gets all of the zone.
        assert [line for line in await xfr(two, "ixfr=1") if "\tSOA" not in line] == [
            line for line in await xfr(two, "axfr") if "\tSOA" not in line
        ]


async def test_of_two_who_want_the_same_name_one_gets_it(server: Server, size: Callable[[int, int], int]) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        for number in range(size(20, 1000)):
            name = f"h{number}.shop.default"
            mine, theirs = record(name, b"\1\1\1\1"), record(name, b"\2\2\2\2")
            rcodes = await asyncio.gather(
                one.primary.submit(asks(mine, needs=[absent(mine.name)])),
                two.primary.submit(asks(theirs, needs=[absent(mine.name)])),
            )
            assert sorted(rcodes) == [NOERROR, YXDOMAIN]
            won = mine if rcodes[0] == NOERROR else theirs
            await until(lambda: equal(one.primary, two.primary))
            assert won in there(one.primary.content)


async def test_who_is_acknowledged_at_one_is_known_at_the_other(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        a1 = record("a.shop.default")
        for _ in range(20):
            assert await one.primary.submit(asks(a1, needs=[absent(a1.name)])) == NOERROR
            # Two may not have seen that yet: what it answers is as if it had.
            assert await two.primary.submit(asks(a1, needs=[absent(a1.name)])) == YXDOMAIN
            assert await two.primary.submit(asks(removed(a1))) == NOERROR
            assert await one.primary.submit(asks(a1)) == NOERROR
            assert a1 in there(one.primary.content)
            assert await two.primary.submit(asks(removed(a1))) == NOERROR


async def test_more_names_than_etcd_takes_at_once(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        many = [record(f"h{number}.shop.default") for number in range(1500)]
        assert await one.primary.submit(asks(*many)) == NOERROR
        await until(lambda: equal(one.primary, two.primary))
        assert len(two.primary.content) == len(many)
        assert await two.primary.submit(asks(*map(removed, many))) == NOERROR
        await until(lambda: equal(one.primary, two.primary))
        assert len(one.primary.content) == 0


async def test_what_etcd_never_takes_is_refused_as_a_whole(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        many = [record(f"h{number}.shop.default") for number in range(MOST_NAMES + 1)]
        assert await one.primary.submit(asks(*many)) == REFUSED
        assert await one.primary.submit(asks(*many[1:])) == NOERROR
        assert await one.primary.submit(asks(*map(removed, many[1:]))) == NOERROR
        names = [f"large{number}.shop.default" for number in range(8)]
        sets = [[record(name)._replace(type=16, data=number.to_bytes(1000)) for number in range(200)] for name in names]
        for large in sets:
            assert await one.primary.submit(asks(*large)) == NOERROR
        again = [record(name) for name in names]
        assert await one.primary.submit(asks(*again)) == REFUSED
        assert await one.primary.submit(asks(*again[:4])) == NOERROR
        await until(lambda: equal(one.primary, two.primary))
        assert len(two.primary.content) == 8 * 200 + 4


async def test_large_updates_that_meet_are_all_carried_out(server: Server) -> None:
    """Of 100 hosts each, which share the names of their ports."""
    async with registries(server, b"one", b"two") as (one, two):

        def large(turn: int) -> Iterator[Record]:
            for number in range(100):
                host = record(f"h{turn}-{number}.shop.default")
                yield host
                yield Record(record(f"p{number}.shop.default").name, PTR, IN, 5, host.name)

        rcodes = await asyncio.gather(*((one, two)[turn % 2].primary.submit(asks(*large(turn))) for turn in range(12)))
        assert rcodes == [NOERROR] * 12
        await until(lambda: equal(one.primary, two.primary))
        assert len(one.primary.content) == 12 * 200


async def test_who_comes_later_has_all(server: Server) -> None:
    async with registries(server, b"one") as (one,):
        many = [record(f"h{number}.shop.default") for number in range(1200)]  # more than one page
        assert await one.primary.submit(asks(*many, terms=Terms(30))) == NOERROR
        async with registries(server, b"two") as (two,):
            assert equal(one.primary, two.primary)
            assert two.primary.leases.records == 0
        async with registries(server, b"three") as (three,):
            assert equal(one.primary, three.primary)


async def test_a_watch_that_is_too_far_behind_lists_anew(server: Server) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(registries(server, b"one"))
        gated = Gated(server.url)
        two = await stack.enter_async_context(joined(gated, b"two"))
        primary, other = one[0].primary, two.primary
        kept, lost = record("kept.shop.default"), record("lost.shop.default")
        assert await primary.submit(asks(kept, lost)) == NOERROR
        await until(lambda: equal(primary, other))
        behind = other.content.serial
        gated.shut()
        for number in range(10):
            assert await primary.submit(asks(record(f"h{number}.shop.default"))) == NOERROR
        assert await primary.submit(asks(removed(lost))) == NOERROR
        assert other.content.serial == behind
        await server.ask("kv/compaction", {"revision": str(primary.content.serial), "physical": True})
        seen: list[bytes] = []
        other.followers.append(seen.extend)
        gated.open()
        await until(lambda: equal(primary, other))
        assert gated.canceled == 1
        assert lost.name in seen
        assert kept.name not in seen
        steps = await other.since(behind)
        assert steps is not None
        assert [step.serial for step in steps] == [primary.content.serial]


async def test_etcd_is_gone_for_a_while(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        a1, a2 = record("a.shop.default"), record("b.shop.default")
        assert await one.primary.submit(asks(a1)) == NOERROR
        await until(lambda: equal(one.primary, two.primary))
        server.kill()
        lines = await xfr(two, "axfr")
        began, busy = time.monotonic(), time.process_time()
        while time.monotonic() - began < 2:
            assert await one.primary.submit(asks(a2)) == SERVFAIL
            await asyncio.sleep(0.1)
        assert time.process_time() - busy < 1, "it spins"
        assert lines == await xfr(two, "axfr")
        server.start()
        await until(lambda: one.primary.content.serial > 0)
        async with asyncio.timeout(20):
            while await one.primary.submit(asks(a2)) != NOERROR:
                await asyncio.sleep(0.05)
        await until(lambda: equal(one.primary, two.primary))
        assert there(two.primary.content) == {a1, a2}
    told = [each.getMessage() for each in caplog.records if "are refused" in each.getMessage()]
    assert len(told) == 1


async def test_etcd_is_slow(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        a1 = record("a.shop.default")
        server.signal(signal.SIGSTOP)
        began = time.monotonic()
        answer = one.primary.submit(asks(a1, terms=Terms(60)))
        assert await answer == SERVFAIL
        assert time.monotonic() - began < 5
        server.signal(signal.SIGCONT)
        async with asyncio.timeout(20):
            while await one.primary.submit(asks(a1, terms=Terms(60))) != NOERROR:
                await asyncio.sleep(0.05)
        await until(lambda: equal(one.primary, two.primary))
        assert there(two.primary.content) == {a1}
        assert (one.primary.leases.records, two.primary.leases.records) == (1, 0)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registries that are gone are taken for gone soon."""
    monkeypatch.setattr(etcd_presence, "TTL_SECONDS", 2)
    monkeypatch.setattr(etcd_presence, "MARGIN_SECONDS", 0.3)
    monkeypatch.setattr(etcd_store, "KEEP_SECONDS", 0.4)


async def revision(server: Server) -> int:
    return int((await server.ask("kv/range", {"key": "YQ=="}))["header"]["revision"])


async def test_a_refresh_is_no_write(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        refresh = asks(record("a.shop.default"), terms=Terms(30), fingerprint=b"f")
        assert await one.primary.submit(refresh) == NOERROR
        before = await revision(server)
        assert one.primary.refresh(b"f", Terms(30))
        assert await one.primary.submit(refresh) == NOERROR
        assert await revision(server) == before
        # At another registry it is a write, once, for that keeps it then; and no change of the zone.
        serial = two.primary.content.serial
        assert await two.primary.submit(refresh) == NOERROR
        assert await revision(server) == before + 1
        assert two.primary.refresh(b"f", Terms(30))
        assert await two.primary.submit(refresh) == NOERROR
        await until(lambda: not one.primary.refresh(b"f", Terms(30)))
        assert (await revision(server), one.primary.content.serial) == (before + 1, serial)
        assert (one.primary.leases.records, two.primary.leases.records) == (0, 1)


@pytest.mark.usefixtures("short")
async def test_who_refreshed_at_a_registry_that_dies_has_a_full_term(server: Server) -> None:
    async with registries(server, b"one", b"two", b"three") as (one, two, three):
        stays, goes = record("stays.shop.default"), record("goes.shop.default")
        assert await one.primary.submit(asks(stays, terms=Terms(3), fingerprint=b"s")) == NOERROR
        assert await one.primary.submit(asks(goes, terms=Terms(3), fingerprint=b"g")) == NOERROR
        for _ in range(4):  # longer than a term of anybody
            await asyncio.sleep(0.8)
            await until(lambda: one.primary.refresh(b"s", Terms(3)))
            await until(lambda: one.primary.refresh(b"g", Terms(3)))
        await kill(one.store)
        await until(lambda: two.store.keepers == three.store.keepers == {b"two", b"three"})
        noticed, serial = time.monotonic(), two.primary.content.serial
        assert there(two.primary.content) == {stays, goes}
        assert await two.primary.submit(asks(stays, terms=Terms(30), fingerprint=b"s")) == NOERROR
        await until(lambda: goes not in there(three.primary.content))
        assert time.monotonic() - noticed > 2, "that is less than a term"
        await asyncio.sleep(1.2)  # time for the other registry to do the same again
        await until(lambda: equal(two.primary, three.primary))
        assert there(two.primary.content) == {stays}
        for each in (two, three):
            steps = await each.primary.since(serial)
            assert steps is not None
            assert len(steps) == 1, "one removal, and another keeper is no change"


@pytest.mark.usefixtures("short")
async def test_when_many_are_silent_after_a_registry_died_nothing_expires(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        many = [record(f"h{number}.shop.default") for number in range(30)]
        assert await one.primary.submit(asks(*many, terms=Terms(2))) == NOERROR
        await kill(one.store)
        await until(lambda: two.primary.leases.records == 30)
        await until(lambda: two.primary.leases.is_suspended)
        await asyncio.sleep(1.2)  # time to look at the leases again
        assert len(two.primary.content) == 30


@pytest.mark.usefixtures("short")
async def test_one_registry_acts_and_another_once_it_is_killed(server: Server) -> None:
    async with registries(server, b"one", b"two", b"three") as each:
        stores = [one.store for one in each]
        await until(lambda: sorted(bool(store.standby()) for store in stores) == [False, True, True])
        (acting,) = (store for store in stores if not store.standby())
        await kill(acting)
        others = [store for store in stores if store is not acting]
        await until(lambda: any(not store.standby() for store in others))
        assert acting.standby(), "who was killed does not take itself for the one that acts"
        assert sum(not store.standby() for store in others) == 1
        (acts,) = (store for store in others if not store.standby())
        await acts.close()
        await until(lambda: not next(store for store in others if store is not acts).standby())


async def kill(store: Store) -> None:
    """As SIGKILL would: nothing more is heard from it."""
    assert isinstance(store, EtcdStore)
    for task in store._tasks:
        task.cancel()


async def test_nothing_acknowledged_is_lost(server: Server, size: Callable[[int, int], int]) -> None:
    """One registry is killed under updates, then etcd; in the end all that is left agrees with who wrote."""
    count, rate = size(60, 2000), size(60, 200)
    processes = [Process(server, name) for name in ("one", "two")]
    try:
        await asyncio.to_thread(lambda: [each.ready() for each in processes])
        addresses = [each.address for each in processes]
        writers = [Writer(number, addresses, 10 / rate) for number in range(10)]
        tasks = [asyncio.create_task(each.run()) for each in writers]

        def acknowledged() -> int:
            return sum(each.acknowledged for each in writers)

        try:
            await until(lambda: acknowledged() > count / 2, 60)
            processes[0].kill()
            await until(lambda: acknowledged() > count, 60)
            server.kill()
            await asyncio.sleep(0.3)
            server.start()
            before = acknowledged()
            await until(lambda: acknowledged() > before + count / 2, 60)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(each.refused for each in writers) > 0
        async with registries(server, b"three") as (three,):
            found = there(three.primary.content)
            lost = set().union(*(each.there for each in writers)) - found
            back = set().union(*(each.gone for each in writers)) & found
            assert (lost, back) == (set(), set())
            (host, port), other = addresses[1], three
            assert await dig(host, port, "axfr") == await dig(other.host, other.port, "axfr")
    finally:
        for each in processes:
            each.kill()


async def test_manifests(server: Server) -> None:
    async with registries(server, b"one", b"two") as (one, two):
        assert isinstance(one.store, EtcdStore)
        assert isinstance(two.store, EtcdStore)
        many = [Document(DocumentKey("Service", "default", f"s{number:03}"), "a:1:1", b"{}") for number in range(300)]
        await one.store.store_documents(many, [])
        async with asyncio.timeout(20):
            await two.store.documents_changed()
        assert await two.store.documents() == many
        await two.store.store_documents([many[0]._replace(body=b"[]")], [each.key for each in many[1:]])
        assert await one.store.documents() == [many[0]._replace(body=b"[]")]


async def test_an_etcd_that_knows_who_asks(tmp_path: Path) -> None:
    authority = Authority()
    server = Server(tmp_path, authority)
    server.start()
    pair = authority.sign("registry.example")  # with a common name the gateway lets in no user
    values = {"ca.crt": authority.certificate, "tls.crt": pair.certificate, "tls.key": pair.key}
    tls = Secret(ObjectMeta("tls", "default"), string_data={key: value.decode() for key, value in values.items()})
    user = Secret(ObjectMeta("user", "default"), string_data={"username": "weft", "password": "secret"})
    secrets = {Named("default", "tls"): tls, Named("default", "user"): user}
    settings = EtcdSettings(endpoints=(server.url,), tls="tls", user="user")
    access = Access((server.url,), context_of(read_access(settings, secrets)))
    try:
        await server.ready(Etcd(access))
        await allow_only_weft(Etcd(access))
        store = store_of(settings, secrets, tmp_path, Random(1))
        async with registry(store) as one:
            assert await one.primary.submit(asks(record("a.shop.default"))) == NOERROR
            server.kill()  # and with it the tokens that it gave
            server.start()
            async with asyncio.timeout(20):
                while await one.primary.submit(asks(record("b.shop.default"))) != NOERROR:
                    await asyncio.sleep(0.05)
        await store.close()
        for wrong, says in {"tls": "etcd at https", "user": "user name is empty"}.items():
            denied = store_of(replace(settings, **{wrong: ""}), secrets, tmp_path, Random(1))
            with pytest.raises(StoreError, match=says):
                await denied.open([ORIGIN])
    finally:
        server.close()


async def allow_only_weft(etcd: Etcd) -> None:
    """A user that may write beneath the prefix, and nobody without a name."""
    perm = {"permType": "READWRITE", "key": text(PREFIX), "range_end": text(range_end(PREFIX))}
    try:
        for name in ("root", "weft"):
            await etcd.call("auth/user/add", {"name": name, "password": "secret"})
            await etcd.call("auth/role/add", {"name": name})
            await etcd.call("auth/user/grant", {"user": name, "role": name})
        await etcd.call("auth/role/grant", {"name": "weft", "perm": perm})
        await etcd.call("auth/enable", {})
    finally:
        await etcd.close()


async def test_the_registry_of_a_process(server: Server, tmp_path: Path) -> None:
    """What one process is told to write, the catalog of another has."""
    written = settings(etcd=EtcdSettings(endpoints=(server.url,)))
    catalogs = [Catalog(), Catalog()]
    for catalog in catalogs:
        catalog.define(SERVICES)
    async with opened(tmp_path, catalogs[0], written) as one, opened(tmp_path, catalogs[1], written) as two:
        await write(one, "endpoints", *registered(SHOP, SERVICES[SHOP], {"http": (ONE,)}, ORIGIN))
        await until(lambda: catalogs[1].snapshot.services[SHOP] == {"http": (ONE,)})
        await write(two, "nodes", *node_records(b"\2n1" + NODES, Resolver("192.0.2.1", 1053)))
        await until(lambda: one.document() == two.document())
    assert list(tmp_path.glob("*.db")) == []
