"""How other registries know that this one is there: a marker key with a lease of etcd, kept alive.

While the marker is there nobody else lets expire what this registry keeps, so refreshes are taken only as long as that
is sure: the marker was seen, and by this process' clock its lease cannot have ended, counted from when it was last
asked for.  `Presence` is that decision; `Attendance` asks etcd.

Of those that are there one leads, which does what is not to be done twice: whoever first wrote its name to a key that
lives as long as its marker.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Final

from discovery.registry.etcd.client import Etcd, revision_of, text

TTL_SECONDS: Final = 10
KEEP_SECONDS: Final = 2.5
"""Between two times that it is kept alive."""
MARGIN_SECONDS: Final = 1.0


class Presence:
    """Whether this registry is there, for others."""

    def __init__(self) -> None:
        self._until = float("-inf")
        self._is_there = False

    def is_sure(self, now: float) -> bool:
        """Whether the marker is there at `now`."""
        return self._is_there and now < self._until

    def kept(self, asked_at: float, seconds: float) -> None:
        """The lease has `seconds` since `asked_at` or a little later."""
        self._until = asked_at + seconds - MARGIN_SECONDS

    def there(self) -> None:
        """The marker is there, and all that happened before it is known here."""
        self._is_there = True

    def lost(self) -> None:
        """The marker may be gone."""
        self._is_there = False


class Attendance:
    """The marker of one registry in etcd."""

    def __init__(self, etcd: Etcd, key: bytes, presence: Presence, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self._etcd = etcd
        self._key = key
        self._presence = presence
        self._clock = clock
        self._lease = ""

    def lost(self) -> None:
        """The marker is not there any more: `keep` makes another."""
        self._presence.lost()
        self._lease = ""

    async def keep(self) -> int:
        """Let the marker be there for longer; returns the revision of a new one, else 0.  Raises `StoreError`."""
        if self._lease:
            asked_at = self._clock()
            said = (await self._etcd.call("lease/keepalive", {"ID": self._lease})).get("result", {})
            if seconds := int(said.get("TTL", 0)):
                self._presence.kept(asked_at, seconds)
                return 0
        self.lost()
        asked_at = self._clock()
        granted = await self._etcd.call("lease/grant", {"TTL": str(TTL_SECONDS)})
        lease = granted.get("ID", "")
        put = await self._etcd.call("kv/put", {"key": text(self._key), "lease": lease})
        self._lease = lease
        self._presence.kept(asked_at, int(granted.get("TTL", TTL_SECONDS)))
        return revision_of(put)

    async def lead(self, key: bytes, name: bytes) -> bytes:
        """Who leads, which is the first that asks while nobody does, until its marker ends.  Raises `StoreError`."""
        if not (lease := self._lease):
            return b""
        own = name + b" " + lease.encode()  # what this registry led by an earlier lease, another may have tomorrow
        free = {"key": text(key), "target": "CREATE", "result": "EQUAL", "create_revision": "0"}
        put = {"request_put": {"key": text(key), "value": text(own), "lease": lease}}
        look = {"request_range": {"key": text(key)}}
        answer = await self._etcd.call("kv/txn", {"compare": [free], "success": [put], "failure": [look]})
        found = () if answer.get("succeeded") else answer["responses"][0]["response_range"].get("kvs", ())
        value = b64decode(found[0]["value"]) if found else own if answer.get("succeeded") else b""
        leader = value.rpartition(b" ")[0]
        return b"" if leader == name and value != own else leader

    async def leave(self) -> None:
        """Take the marker away, so that others need not wait for its end.  Raises `StoreError`."""
        if self._lease:
            lease, self._lease = self._lease, ""
            await self._etcd.call("lease/revoke", {"ID": lease}, seconds=1.0)
