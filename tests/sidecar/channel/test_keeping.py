"""The manifests in the registry's store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config.configset import ConfigSet
from config.loader import load, load_text
from config.meta import ObjectKey
from discovery.registry.documents import Document
from discovery.registry.journal import Journal
from discovery.registry.store import StoreError
from sidecar.channel.keeping import Keeping
from sidecar.channel.shelf import Shelf
from tests.scenarios.manifests import ingress, policy, service

WEB = ("web.json", json.dumps(service("web")))
SITE = ("site.yaml", "---\n" + json.dumps(ingress("site", "a.example", "web")))
TUNED = ("policy.json", json.dumps(policy("web", timeouts={"request": "1500ms"})))
BAD = ("bad.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec:\n  ports: [{port: 99999}]\n")
WEB_KEY = ObjectKey("Service", "default", "web")


@asynccontextmanager
async def keeping(state: Path, config_set: ConfigSet | None = None) -> AsyncIterator[Keeping]:
    journal = Journal(state / "store")
    await journal.open([])
    made = Keeping(journal, Shelf(1), state, lambda: config_set or ConfigSet())
    try:
        await made.open()
        yield made
    finally:
        await journal.close()


async def test_what_is_accepted_is_stored_and_distributed_and_there_again(tmp_path: Path) -> None:
    async with keeping(tmp_path) as there:
        outcome = await there.apply([WEB, SITE, TUNED])
        assert not outcome.refused
        assert {(change.key.kind, change.what) for change in outcome.changes} == {
            ("Service", "created"), ("Ingress", "created"), ("TrafficPolicy", "created"),
        }  # fmt: skip
        assert there.stored[WEB_KEY].source == "web.json:1:1"
        again = await there.apply([WEB])
        assert [change.what for change in again.changes] == ["unchanged"]
        changed = await there.apply([("web.json", json.dumps(service("web", {"http": 81, "tcp": 9090})))])
        assert [change.what for change in changed.changes] == ["configured"]
    async with keeping(tmp_path) as later:
        assert len(later.stored) == 3
        assert set(later._shelf.stored) == set(later.stored)
        text = "\n---\n".join(each.body.decode() for each in later.stored.values())
        loaded = load_text(text, "stored")
        assert not [fault for fault in loaded.faults if fault.severity == "error"]
        assert loaded.config_set.policies


async def test_one_error_refuses_all_and_says_where(tmp_path: Path) -> None:
    async with keeping(tmp_path) as there:
        outcome = await there.apply([WEB, BAD])
        assert outcome.refused
        assert any(str(fault.source).startswith("bad.yaml:5:") for fault in outcome.faults)
        assert not there.stored
        assert not there._shelf.stored
    assert not list((tmp_path / "channel").glob("proposed*"))


async def test_what_the_registrys_own_files_hold_is_refused_and_both_are_named(tmp_path: Path) -> None:
    spec = "spec: {clusterIP: 127.96.0.9, ports: [{port: 80}]}"
    (tmp_path / "own.yaml").write_text(f"apiVersion: v1\nkind: Service\nmetadata: {{name: zz}}\n{spec}\n")
    received = tmp_path / "channel" / "manifests.json"
    received.parent.mkdir()
    received.write_text(json.dumps({**service("stored"), "spec": {"clusterIP": "127.96.0.8", "ports": [{"port": 80}]}}))
    config_set = load([tmp_path / "own.yaml", received]).config_set
    async with keeping(tmp_path, config_set) as there:
        for address, other in (("127.96.0.9", "zz"), ("127.96.0.8", "")):
            taking = (
                "aa.yaml",
                f"apiVersion: v1\nkind: Service\nmetadata: {{name: aa}}\n{spec}\n".replace("127.96.0.9", address),
            )
            outcome = await there.apply([taking], dry_run=True)
            assert outcome.refused == bool(other)
            errors = [str(fault) for fault in outcome.faults if fault.severity == "error"]
            assert all("Service/default/aa: " in each and f"Service/default/{other} (" in each for each in errors), (
                errors
            )


async def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    async with keeping(tmp_path) as there:
        assert [change.what for change in (await there.apply([WEB], dry_run=True)).changes] == ["created"]
        assert not there.stored
        await there.apply([WEB])
        outcome = await there.delete([WEB_KEY], dry_run=True)
        assert [change.what for change in outcome.changes] == ["deleted"]
        assert there.stored


async def test_deleting_warns_of_what_is_missing_then(tmp_path: Path) -> None:
    async with keeping(tmp_path) as there:
        await there.apply([WEB, SITE])
        outcome = await there.delete([WEB_KEY])
        assert [(change.what, fault.severity) for change in outcome.changes for fault in outcome.faults] == [
            ("deleted", "warning")
        ]
        assert set(there.stored) == set(there._shelf.stored) == {ObjectKey("Ingress", "default", "site")}
        absent = await there.delete([WEB_KEY])
        assert ([change.what for change in absent.changes], absent.faults) == (["not stored"], ())
        shop = await there.apply([("shop.json", json.dumps(service("shop")))])
        assert not shop.refused


async def test_changes_come_one_after_the_other(tmp_path: Path) -> None:
    async with keeping(tmp_path) as there:
        outcomes = await asyncio.gather(*(there.apply([WEB]) for _ in range(3)))
        assert sorted(change.what for each in outcomes for change in each.changes) == [
            "created", "unchanged", "unchanged",
        ]  # fmt: skip


async def test_what_cannot_be_stored_is_not_distributed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with keeping(tmp_path) as there:

        async def fails(*_: object) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(there._documents, "store_documents", fails)
        with pytest.raises(StoreError):
            await there.apply([WEB])
        assert not there.stored
        assert not there._shelf.stored


class Shared(Journal):
    """A store that others write too, and that may fail."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.stirred = asyncio.Event()
        self.broken = False

    async def documents(self) -> Sequence[Document]:
        if self.broken:
            self.broken = False
            raise StoreError("away")
        return await super().documents()

    async def documents_changed(self) -> None:
        await self.stirred.wait()
        self.stirred.clear()


async def test_what_another_registry_stores_is_distributed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.channel.keeping.RETRY_SECONDS", 0.001)
    store, told = Shared(tmp_path / "store"), []
    await store.open([])
    one, other = (Keeping(store, Shelf(1), tmp_path / name, ConfigSet) for name in ("one", "other"))
    other._shelf.followers.append(lambda: told.append(set(other._shelf.stored)))
    following = asyncio.create_task(other.follow())
    try:
        for act, there in (
            (one.apply([WEB, TUNED]), {WEB_KEY, ObjectKey("TrafficPolicy", "default", "web")}),
            (one.delete([WEB_KEY]), {ObjectKey("TrafficPolicy", "default", "web")}),
        ):
            await act
            store.broken = True
            store.stirred.set()
            async with asyncio.timeout(10):
                while other.stored.keys() != there:
                    await asyncio.sleep(0.001)
        store.stirred.set()
        await asyncio.sleep(0.01)
        assert len(told) == 2
    finally:
        following.cancel()
        await asyncio.wait([following])
        await store.close()
