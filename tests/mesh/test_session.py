"""What a UDP session leaves behind: one record, when it is over, whatever became of it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesh.access_log import AccessRecord
from mesh.session import IDLE
from tests.mesh.relaying import until
from tests.mesh.test_udp import World, world

pytestmark = pytest.mark.both_loops


async def be_silent(there: World) -> None:
    client = there.client()
    for _ in range(2):
        await there.talked(client)
    await there.passes(IDLE + 1)


async def lose_the_endpoint(there: World) -> None:
    await there.talked(there.client())
    there.use()


async def find_nobody(there: World) -> None:
    there.use()
    there.client().says(b"ask", there.where)


Doing = Callable[[World], Any]
SESSIONS: dict[str, tuple[Doing, dict[str, Any]]] = {
    "silence": (be_silent, {"bytes_in": 6, "bytes_out": 12, "reason": "", "tries": 1}),
    "its endpoint goes": (lose_the_endpoint, {"bytes_in": 3, "bytes_out": 6, "reason": "", "tries": 1}),
    "no endpoint": (find_nobody, {"bytes_in": 0, "reason": "destination_unavailable", "tries": 0, "endpoint": ""}),
}


@pytest.mark.parametrize("case", SESSIONS)
async def test_one_record_per_session(case: str) -> None:
    doing, expected = SESSIONS[case]
    records: list[AccessRecord] = []
    async with world(1) as there:
        there.proxy.access_log = records.append
        await doing(there)
        await until(lambda: records)
        assert there.stats.udp_open == 0
    [record] = records
    assert {name: getattr(record, name) for name in expected} == expected
    assert (record.protocol, record.service, record.client) == ("udp", "shop", "127.0.0.1")
    assert record.endpoint or case == "no endpoint"
    assert record.seconds >= (IDLE if case == "silence" else 0)


async def test_who_gives_way_to_another_is_told_of() -> None:
    records: list[AccessRecord] = []
    async with world(1, listener={"limit": 1}) as there:
        there.proxy.failure_log = records.append
        await there.asked(there.client())
        await there.talked(there.client())
        assert [(record.reason, record.bytes_in) for record in records] == [("connection_limit_reached", 3)]


async def test_silence_is_no_failure() -> None:
    records: list[AccessRecord] = []
    async with world(1) as there:
        there.proxy.failure_log = records.append
        await be_silent(there)
        await until(lambda: there.stats.udp_open == 0)
    assert records == []
