"""The ring is bounded, and asks the data plane for no more than somebody wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.endpoint import Endpoint
from mesh.access_log import About, AccessRecord, Ended
from mesh.endpoint_state import EndpointState
from mesh.plan import BackendKey
from mesh.recent import LONGEST, PERIOD, Recent, Told
from tests.mesh.dialogue import OK, answering, get, mesh


class Telling:
    """In place of the Proxy; its own loop, of which only a timer is wanted."""

    access_log: Told | None = None
    failure_log: Told | None = None

    def __init__(self) -> None:
        self.timers: list[tuple[float, Callable[[], None]]] = []

    @property
    def loop(self) -> Any:
        return self

    def call_later(self, delay: float, callback: Callable[[], None]) -> Telling:
        self.timers.append((delay, callback))
        return self

    def cancel(self) -> None:
        self.timers.clear()

    def tell(self, *ended: Ended) -> None:
        assert self.access_log is not None
        for one in ended:
            self.access_log(one)


def record(number: int, **fields: object) -> AccessRecord:
    return AccessRecord(float(number), "127.0.0.1", "127.96.0.1:80", request_id=f"id{number}", **fields)  # type: ignore[arg-type]


@given(st.integers(0, 20), st.integers(0, 60))
def test_the_last_ones_are_kept(size: int, count: int) -> None:
    proxy = Telling()
    recent = Recent(proxy, size)
    for number in range(count):
        assert proxy.failure_log is not None
        proxy.failure_log(record(number))
    assert [each.time for each in recent.records()] == list(map(float, range(max(count - size, 0), count)))
    kept = count > 0 and size > 0
    assert (recent.find(f"id{count - 1}") is not None) == kept


def test_of_two_with_one_id_the_later_is_found() -> None:
    proxy = Telling()
    recent = Recent(proxy, 10, every=True)
    for number in range(3):
        proxy.tell(record(number % 2, status=number))
    found = recent.find("id0")
    assert found is not None
    assert found.status == 2
    assert recent.find("id7") is None


def test_of_long_targets_the_beginning_is_kept_and_all_is_told() -> None:
    proxy = Telling()
    recent = Recent(proxy, 10)
    assert proxy.failure_log is not None
    proxy.failure_log(record(0, target="/" + "a" * 16_000))
    seen: list[Ended] = []
    recent.watch(seen.extend)
    head = b"GET /" + b"c" * 16_000 + b" HTTP/1.1\r\nX-Request-Id: 0123456789abcdef\r\n\r\n"
    about = About("127.0.0.1", "127.96.0.1:80", BackendKey("default", "shop", "http"), b"a")
    proxy.tell(
        record(1, target="/" + "b" * 16_000),
        (1.0, 0.1, head, len(head), 200, 2, EndpointState(Endpoint("a", 1)), about),
    )
    assert [each.target[:2] for each in recent.records()] == ["/a", "/b", "/c"]
    assert {len(each.target) for each in recent.records()} == {LONGEST}
    assert isinstance(seen[0], AccessRecord)
    assert len(seen[0].target) == 16_001


@pytest.mark.parametrize("every", [False, True])
def test_good_exchanges_are_recorded_only_while_somebody_wants_them(every: bool) -> None:
    proxy = Telling()
    seen: list[Ended] = []
    others: list[Ended] = []
    recent = Recent(proxy, 5, every)

    def watcher(some: Sequence[Ended]) -> None:
        seen.extend(some)

    assert (proxy.access_log is not None) is every
    assert recent.complete is every
    recent.watch(watcher)
    recent.watch(others.extend)
    proxy.tell(record(1))
    recent.leave(watcher)
    proxy.tell(record(2))
    recent.gather()
    assert seen == [record(1)]
    assert others == [record(1), record(2)]


def test_what_ends_is_handed_on_in_portions() -> None:
    proxy = Telling()
    seen: list[Sequence[Ended]] = []
    recent = Recent(proxy, 5)
    assert not proxy.timers
    recent.watch(seen.append)
    proxy.tell(record(1), record(2))
    assert not seen
    (delay, callback), *_ = proxy.timers
    callback()
    assert delay == PERIOD
    assert seen == [[record(1), record(2)]]
    assert len(proxy.timers) == 2, "it goes on"
    callback()
    assert len(seen) == 1, "nothing has ended since"


def test_who_leaves_last_puts_it_out() -> None:
    proxy = Telling()
    recent, seen = Recent(proxy, 5), list[Ended]()
    watcher = seen.extend
    recent.watch(watcher)
    recent.leave(watcher)
    assert proxy.access_log is None
    assert not proxy.timers


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
