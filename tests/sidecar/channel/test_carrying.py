"""Which serial is in force on a node, and which replicas that end it still uses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from config.meta import Named
from discovery.catalog import Snapshot
from discovery.endpoint import Endpoint
from sidecar.channel.carrying import Carrying
from tests.sidecar.channel.channels import until

WEB = Named("default", "web")


class Heard:
    def __init__(self) -> None:
        self.serials: list[int] = []
        self.busy: list[str] = []
        self.flying = {"web-1": 1}
        self.carrying = Carrying(self, lambda replica: self.flying.get(replica, 0))

    def in_force(
        self, *, serial: int | None = None, manifests: int | None = None, busy: Iterable[str] | None = None
    ) -> None:
        self.serials += [] if serial is None else [serial]
        self.busy = self.busy if busy is None else list(busy)


def snapshot(generation: int, *, terminating: bool = False, changed: bool = True) -> Snapshot:
    endpoint = Endpoint(
        address="127.0.0.1", port=80, ready=not terminating, serving=True, terminating=terminating, replica_id="web-1"
    )
    services: Any = {WEB: {"http": (endpoint,)}}
    return Snapshot(generation, services, frozenset({WEB} if changed else ()))


def test_a_serial_is_in_force_with_the_table_that_was_made_of_it() -> None:
    heard = Heard()
    heard.carrying.put_in_force(snapshot(1))
    heard.carrying.copied(7, 2)
    heard.carrying.copied(8, 3)
    heard.carrying.copied(9, 5)
    assert heard.serials == []
    heard.carrying.put_in_force(snapshot(3))
    assert heard.serials == [8]
    heard.carrying.put_in_force(snapshot(6))
    assert heard.serials == [8, 9]


def test_a_copy_that_changes_nothing_here_is_in_force_at_once() -> None:
    heard = Heard()
    heard.carrying.put_in_force(snapshot(4))
    heard.carrying.copied(7, 4)
    assert heard.serials == [7]


def test_a_replica_that_ends_is_told_of_with_the_table_in_which_it_does() -> None:
    heard = Heard()
    heard.carrying.put_in_force(snapshot(1))
    ends = snapshot(2, terminating=True)
    heard.carrying.changed(ends)
    heard.carrying.copied(7, 2)
    heard.carrying.changed(snapshot(3))
    assert heard.busy == []
    heard.carrying.put_in_force(ends)
    assert (heard.serials, heard.busy) == ([7], ["web-1"])
    heard.carrying.put_in_force(snapshot(3))
    assert heard.busy == []


async def test_the_end_of_the_last_request_is_told() -> None:
    heard = Heard()
    async with asyncio.TaskGroup() as beside:
        running = beside.create_task(heard.carrying.run())
        heard.carrying.changed(snapshot(2, terminating=True))
        heard.carrying.put_in_force(snapshot(2, terminating=True))
        assert heard.busy == ["web-1"]
        heard.flying.clear()
        await until(lambda: not heard.busy)
        running.cancel()
