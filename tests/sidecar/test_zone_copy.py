"""The copy of a zone: kept over restarts, and dated."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from discovery.registry.resolv_conf import Resolver
from sidecar import zone_copy as module
from sidecar.zone_copy import FILE, STALE_SECONDS, ZoneCopy
from tests.discovery.registry.registries import Registry, registry
from tests.discovery.registry.test_authority import until
from tests.discovery.registry.test_primary import Memory, asks
from tests.discovery.registry.test_registrant import nobody
from tests.discovery.registry.test_transfer import ORIGIN, record


@asynccontextmanager
async def copying(folder: Path, where: Registry | None) -> AsyncIterator[ZoneCopy]:
    made = ZoneCopy(ORIGIN, [Resolver(where.host, where.port) if where else nobody()], None, folder, Random(1))
    made.restore()
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_it_is_kept_and_begun_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP_SECONDS", 0.01)
    async with registry(Memory()) as where:
        await where.primary.submit(asks(record("one.a.b")))
        async with copying(tmp_path, where) as made:
            assert (made.age, made.is_stale) == (None, False)
            await until((tmp_path / FILE).exists)
            assert not made.is_stale
            assert made.age is not None
            assert made.age < STALE_SECONDS
            before = (tmp_path / FILE).read_bytes()
            await where.primary.submit(asks(record("two.a.b")))
            made.secondary.heard(None, where.host)
            await until(lambda: (tmp_path / FILE).read_bytes() != before)
    nodes = dict(made.content.nodes)
    an_hour_ago = time.time() - 3600
    os.utime(tmp_path / FILE, (an_hour_ago, an_hour_ago))
    async with copying(tmp_path, None) as again:
        assert again.content.nodes == nodes
        assert again.content.serial == made.content.serial
        assert again.is_stale
        assert again.age == pytest.approx(3600, abs=60)
        assert again.document()["stale"] is True
        assert {family.name for family in again.families()} == {
            "weft_registry_serial", "weft_registry_last_contact_seconds",
        }  # fmt: skip


async def test_what_was_kept_is_caught_up_with_by_the_difference(tmp_path: Path) -> None:
    async with registry(Memory()) as where:
        await where.primary.submit(asks(record("one.a.b")))
        async with copying(tmp_path, where) as made:
            await made.secondary.synced.wait()
            await made.keep()
        await where.primary.submit(asks(record("two.a.b")))
        async with copying(tmp_path, where) as again:
            changed: set[bytes] = set()
            again.secondary.followers.append(changed.update)
            await until(lambda: again.content.serial == where.primary.content.serial)
            assert changed == {record("two.a.b").name}
            await until(lambda: not again.is_stale)


async def test_a_folder_that_cannot_be_written_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"{FILE}.new").mkdir()
    made = ZoneCopy(ORIGIN, [nobody()], None, tmp_path, Random(1))
    made.secondary.synced.set()
    await made.keep()
    await made.keep()
    assert caplog.text.count("cannot be kept") == 1
