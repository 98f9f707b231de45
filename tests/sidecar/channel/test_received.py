"""Manifests that came by the channel, as a file beside a node's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from config.loader import load
from config.meta import ObjectKey
from sidecar.channel.guard import Runs
from sidecar.channel.messages import Manifest, Manifests
from sidecar.channel.received import Received
from tests.scenarios.manifests import deployment, service
from tests.sidecar.channel.channels import manifest, until


def _real(document: dict[str, object], namespace: str = "default") -> Manifest:
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    name = str(metadata["name"])
    return manifest(str(document["kind"]), name, {**document, "metadata": {**metadata, "namespace": namespace}})


@asynccontextmanager
async def receiving(state: Path, runs: Collection[str] | None = ()) -> AsyncIterator[Received]:
    received = Received(state, lambda: None, None if runs is None else Runs(runs))
    received.prepare()
    async with asyncio.TaskGroup() as beside:
        running = beside.create_task(received.run())
        yield received
        running.cancel()


async def test_at_first_there_is_an_empty_file(tmp_path: Path) -> None:
    async with receiving(tmp_path) as received:
        loaded = load([received.path])
    assert not loaded.faults
    assert not loaded.config_set.sources


async def test_what_came_is_read_like_any_file(tmp_path: Path) -> None:
    async with receiving(tmp_path, ["default/app"]) as received:
        received.take(Manifests(3, [_real(service("web"))], whole=True, more=True))
        received.take(Manifests(3, [_real(service("shop")), _real(deployment("app", 1))], whole=True))
        await until(lambda: received.written == 3)
        assert {key.name for key in load([received.path]).config_set.sources} == {"web", "shop", "app"}
        received.take(Manifests(4, [_real(service("pay"))], [ObjectKey("Service", "default", "web")]))
        await until(lambda: received.written == 4)
    loaded = load([received.path])
    assert {key.name for key in loaded.config_set.sources} == {"shop", "pay", "app"}
    assert {source.line for source in loaded.config_set.sources.values()} == {2, 3, 4}
    assert received.path.stat().st_mode & 0o777 == 0o600


async def test_a_new_whole_state_replaces_the_last(tmp_path: Path) -> None:
    async with receiving(tmp_path) as received:
        received.take(Manifests(3, [_real(service("web"))], whole=True))
        received.take(Manifests(4, [_real(service("half"))], whole=True, more=True))
        received.interrupted()
        received.take(Manifests(5, [_real(service("shop"))], whole=True))
        await until(lambda: received.written == 5)
    assert {key.name for key in load([received.path]).config_set.sources} == {"shop"}


async def test_what_is_not_taken_is_left_out_and_kept_where_nothing_runs(tmp_path: Path) -> None:
    for runs, expected in (((), {"web"}), (None, {"web", "app"})):
        async with receiving(tmp_path, runs) as received:
            received.take(Manifests(3, [_real(service("web")), _real(deployment("app", 1))], whole=True))
            await until(lambda received=received: received.written == 3)  # type: ignore[misc]
        assert {key.name for key in load([received.path]).config_set.sources} == expected


async def test_a_file_of_an_earlier_run_stays_until_there_is_news(tmp_path: Path) -> None:
    async with receiving(tmp_path) as received:
        received.take(Manifests(3, [_real(service("web"))], whole=True))
        await until(lambda: received.written == 3)
    async with receiving(tmp_path) as again:
        assert again.written == 0
        assert json.loads(again.path.read_bytes())["items"]


async def test_what_changes_nothing_here_is_in_force_at_once(tmp_path: Path) -> None:
    async with receiving(tmp_path) as received:
        kept: list[tuple[int, int]] = []
        received.kept.append(lambda: kept.append((received.read, received.uses)))
        received.take(Manifests(3, [_real(service("web"))], whole=True, uses=1))
        await until(lambda: received.written == 3)
        received.take(Manifests(4, uses=1))
        assert (kept, received.uses) == ([], 0), "what is in the file is not in force"
        await until(lambda: received.written == 4)
        received.reading()
        assert (received.read, received.uses) == (4, 1)
        received.in_force()
        before = received.path.stat().st_ino
        received.take(Manifests(4, uses=2))
        received.take(Manifests(5, uses=2))
        assert kept == [(4, 2), (5, 2)]
        received.take(Manifests(6, [_real(service("shop"))], uses=3))
        await until(lambda: received.written == 6)
        assert (received.path.stat().st_ino != before, received.uses) == (True, 2)
        assert kept == [(4, 2), (5, 2)]


async def test_what_is_being_read_is_not_in_force(tmp_path: Path) -> None:
    async with receiving(tmp_path) as received:
        kept: list[int] = []
        received.kept.append(lambda: kept.append(received.uses))
        received.take(Manifests(3, [_real(service("web"))], whole=True, uses=1))
        await until(lambda: received.written == 3)
        received.reading()
        received.take(Manifests(4, uses=2))
        assert not kept
        received.in_force()
        await until(lambda: received.written == 4)
        assert not kept
        received.reading()
        received.in_force()
        assert received.uses == 2
        received.take(Manifests(4, uses=3))
        assert kept == [3]
