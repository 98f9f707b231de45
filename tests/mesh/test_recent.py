"""The ring is bounded, and asks the data plane for no more than somebody wants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.access_log import AccessRecord
from mesh.recent import LONGEST, Recent, Watcher
from tests.mesh.dialogue import OK, answering, get, mesh


class Told:
    """In place of the Proxy."""

    access_log: Watcher | None = None
    failure_log: Watcher | None = None


def record(number: int, **fields: object) -> AccessRecord:
    return AccessRecord(float(number), "127.0.0.1", "127.96.0.1:80", request_id=f"id{number}", **fields)  # type: ignore[arg-type]


@given(st.integers(0, 20), st.integers(0, 60))
def test_the_last_ones_are_kept(size: int, count: int) -> None:
    proxy = Told()
    recent = Recent(proxy, size)
    for number in range(count):
        assert proxy.failure_log is not None
        proxy.failure_log(record(number))
    assert [each.time for each in recent.records()] == list(map(float, range(max(count - size, 0), count)))
    kept = count > 0 and size > 0
    assert (recent.find(f"id{count - 1}") is not None) == kept


def test_of_two_with_one_id_the_later_is_found() -> None:
    recent = Recent(Told(), 10)
    for number in range(3):
        recent(record(number % 2, status=number))
    found = recent.find("id0")
    assert found is not None
    assert found.status == 2
    assert recent.find("id7") is None


def test_of_long_targets_the_beginning_is_kept_and_all_is_told() -> None:
    proxy = Told()
    recent = Recent(proxy, 10)
    assert proxy.failure_log is not None
    proxy.failure_log(record(0, target="/" + "a" * 16_000))
    seen: list[AccessRecord] = []
    recent.watch(seen.append)
    recent(record(1, target="/" + "b" * 16_000))
    assert [each.target[:2] for each in recent.records()] == ["/a", "/b"]
    assert {len(each.target) for each in recent.records()} == {LONGEST}
    assert len(seen[0].target) == 16_001


@pytest.mark.parametrize("every", [False, True])
def test_good_exchanges_are_recorded_only_while_somebody_wants_them(every: bool) -> None:
    proxy = Told()
    seen: list[AccessRecord] = []
    others: list[AccessRecord] = []
    recent = Recent(proxy, 5, every)

    def watcher(one: AccessRecord) -> None:
        seen.append(one)

    assert proxy.failure_log is not None
    assert proxy.access_log == (proxy.failure_log if every else None)
    assert recent.complete is every
    recent.watch(watcher)
    recent.watch(others.append)
    assert proxy.access_log is recent
    recent(record(1))
    recent.leave(watcher)
    assert proxy.access_log is recent, "the other one still watches"
    recent(record(2))
    assert [one.time for one in seen] == [1.0]
    assert [one.time for one in others] == [1.0, 2.0]


def test_who_leaves_last_puts_it_out() -> None:
    proxy = Told()
    recent, seen = Recent(proxy, 5), list[AccessRecord]()
    watcher = seen.append
    recent.watch(watcher)
    recent.leave(watcher)
    assert proxy.access_log is None


async def test_what_the_proxy_itself_ended_is_always_kept() -> None:
    async with mesh(answering(OK)) as world:
        recent = Recent(world.proxy, 10)
        await world.ask(get("/good"))
        world.use()
        await world.ask(get("/bad"))
        (kept,) = recent.records()
        assert (kept.target, kept.status, kept.reason) == ("/bad", 503, "destination_unavailable")
        assert recent.find(kept.request_id) is kept
        assert (kept.host, kept.minor) == ("a", 1)
