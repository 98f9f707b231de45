"""What is written reaches the catalog, and what did not change stays the same object."""

from __future__ import annotations

from msgspec.structs import replace

from sidecar.existing import Existing
from tests.sidecar.conftest import WEB, config_set


async def test_what_is_written_exists() -> None:
    written = config_set("127.96.0.1", 9000)
    existing = Existing(written)
    before = existing.catalog.snapshot
    (endpoint,) = before.services[WEB]["http"]
    assert (endpoint.address, endpoint.port) == ("127.0.0.1", 9000)
    await existing.change(config_set("127.96.0.1", 9000))
    assert existing.catalog.snapshot is before
    await existing.change(config_set("127.96.0.1", 9001))
    (endpoint,) = existing.catalog.snapshot.services[WEB]["http"]
    assert endpoint.port == 9001
    await existing.change(replace(written, endpoint_slices={}))
    assert not any(existing.catalog.snapshot.services[WEB].values())
    await existing.change(replace(written, services={}))
    assert existing.catalog.snapshot.services == {}
