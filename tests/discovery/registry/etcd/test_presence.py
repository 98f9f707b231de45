"""Whether others know of this registry: only what is sure counts."""

from __future__ import annotations

from discovery.registry.etcd.client import Access, Etcd, Json
from discovery.registry.etcd.presence import MARGIN_SECONDS, TTL_SECONDS, Attendance, Presence


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Leases(Etcd):
    """etcd's leases: calls take a second; `lives` is how long the last one still has."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(Access(("http://127.0.0.1:1",)))
        self.clock = clock
        self.calls: list[str] = []
        self.lives = TTL_SECONDS

    async def call(self, path: str, body: Json, seconds: float = 3.0) -> Json:
        self.clock.now += 1
        self.calls.append(path)
        if path == "lease/keepalive":
            return {"result": {"TTL": str(self.lives)} if self.lives else {}}
        return {"lease/grant": {"ID": "7", "TTL": str(TTL_SECONDS)}, "kv/put": {"header": {"revision": "12"}}}.get(
            path, {}
        )


async def test_it_is_there_once_that_is_seen_and_as_long_as_its_lease_lives() -> None:
    clock = Clock()
    presence = Presence()
    attendance = Attendance(Leases(clock), b"weft/keepers/one", presence, clock)
    assert await attendance.keep() == 12
    assert not presence.is_sure(clock.now)
    presence.there()
    end = 100 + TTL_SECONDS - MARGIN_SECONDS  # since it was asked for, not since the answer
    assert (presence.is_sure(end - 0.01), presence.is_sure(end)) == (True, False)
    assert await attendance.keep() == 0
    assert presence.is_sure(102 + TTL_SECONDS - MARGIN_SECONDS - 0.01)


async def test_a_lease_that_ended_makes_it_unknown_until_its_new_marker_is_seen() -> None:
    clock = Clock()
    etcd, presence = Leases(clock), Presence()
    attendance = Attendance(etcd, b"weft/keepers/one", presence, clock)
    await attendance.keep()
    presence.there()
    etcd.lives = 0
    assert await attendance.keep() == 12
    assert not presence.is_sure(clock.now)
    presence.there()
    assert presence.is_sure(clock.now)
    attendance.lost()
    assert not presence.is_sure(clock.now)
    await attendance.keep()
    assert etcd.calls == [
        "lease/grant", "kv/put", "lease/keepalive", "lease/grant", "kv/put", "lease/grant", "kv/put"
    ]  # fmt: skip


async def test_leaving() -> None:
    clock = Clock()
    etcd = Leases(clock)
    attendance = Attendance(etcd, b"weft/keepers/one", Presence(), clock)
    await attendance.leave()
    await attendance.keep()
    await attendance.leave()
    await attendance.leave()
    assert etcd.calls == ["lease/grant", "kv/put", "lease/revoke"]
