"""A tap shows what passes its filter, in order, and never more than its bound waits."""

from __future__ import annotations

import asyncio

import pytest

from mesh.access_log import AccessRecord
from mesh.tap import Filter, Tap, parse_statuses

RECORD = AccessRecord(
    1.0, "127.0.0.1", "127.96.0.1:80", "shop", "cart", "http", "", "GET", "/cart/1?x=y", 404, reason="", request_id="a"
)

FILTERS = {
    "nothing said": (Filter(), True),
    "namespace": (Filter(namespace="shop"), True),
    "another namespace": (Filter(namespace="default"), False),
    "service": (Filter(service="cart"), True),
    "another service": (Filter(service="car"), False),
    "method": (Filter(method="GET"), True),
    "another method": (Filter(method="POST"), False),
    "path": (Filter(path="/cart/1?x"), True),
    "another path": (Filter(path="/cart/2"), False),
    "status": (Filter(statuses=parse_statuses("5xx, 404")), True),
    "another status": (Filter(statuses=parse_statuses("400-403")), False),
    "protocol": (Filter(protocol="http"), True),
    "another protocol": (Filter(protocol="tcp"), False),
    "not failed": (Filter(failed=True), False),
    "all at once": (Filter("shop", "cart", "GET", "/cart", parse_statuses("4xx")), True),
    "all but one": (Filter("shop", "cart", "GET", "/cart", parse_statuses("5xx")), False),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(name: str) -> None:
    wanted, accepted = FILTERS[name]
    assert wanted.accepts(RECORD) is accepted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("404", (range(404, 405),)),
        ("5xx", (range(500, 600),)),
        ("400-403,2xx", (range(400, 404), range(200, 300))),
    ],
)
def test_statuses(text: str, expected: tuple[range, ...]) -> None:
    assert parse_statuses(text) == expected


@pytest.mark.parametrize("text", ["44", "6xx", "abc", "400-", "400-4xx"])
def test_what_is_no_status(text: str) -> None:
    with pytest.raises(ValueError, match="is no status: write 404, 5xx or 400-403"):
        parse_statuses(text)


@pytest.mark.both_loops
async def test_records_come_in_order_and_in_portions() -> None:
    tap = Tap(Filter())
    for status in range(200, 205):
        tap([AccessRecord(1.0, "a", "b", status=status)])
    first, _ = await tap.take(1.0, 3)
    rest, lost = await tap.take(1.0, 3)
    assert [record.status for record in first + rest] == [200, 201, 202, 203, 204]
    assert lost == 0
    assert await tap.take(0.001, 3) == ([], 0)


async def test_a_slow_reader_is_told_what_it_lost() -> None:
    tap = Tap(Filter(), capacity=2)
    for _ in range(5):
        tap([RECORD])
    assert await tap.take(1.0, 10) == ([RECORD] * 2, 3)
    tap([RECORD])
    assert await tap.take(1.0, 10) == ([RECORD], 0)


async def test_a_reader_who_waits_is_woken() -> None:
    tap = Tap(Filter(method="GET"))
    waiting = asyncio.ensure_future(tap.take(10.0, 10))
    await asyncio.sleep(0)
    tap([AccessRecord(1.0, "a", "b", method="POST")])
    tap([RECORD])
    assert await waiting == ([RECORD], 0)
