"""Manifests that the registry keeps beside its zones."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from discovery.registry.documents import Document, DocumentKey
from discovery.registry.journal import Journal
from discovery.registry.store import StoreError

WEB = Document(DocumentKey("Service", "default", "web"), "web.yaml:1:1", b'{"a": 1}')
SHOP = Document(DocumentKey("Service", "default", "shop"), "shop.yaml:1:1", b"{}")


async def test_they_are_kept_and_replaced_and_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "store")
    await journal.open([])
    await journal.store_documents([WEB, SHOP], [])
    await journal.store_documents([WEB._replace(body=b"{}")], [SHOP.key, DocumentKey("Service", "x", "never")])
    await journal.close()
    again = Journal(tmp_path / "store")
    await again.open([])
    assert await again.documents() == [WEB._replace(body=b"{}")]
    await again.close()


async def test_a_change_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "store")
    await journal.open([])
    await journal.store_documents([WEB], [])
    with pytest.raises(StoreError):
        await journal.store_documents([SHOP, WEB._replace(source=None)], [WEB.key])  # type: ignore[arg-type]
    assert await journal.documents() == [WEB]
    await journal.close()


async def test_a_store_of_before_there_were_any_gets_the_table(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "store")
    await journal.open([])
    await journal.close()
    with sqlite3.connect(tmp_path / "store") as database:
        database.execute("DROP TABLE documents")
    database.close()
    again = Journal(tmp_path / "store")
    await again.open([])
    assert await again.documents() == []
    await again.close()
