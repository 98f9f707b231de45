"""Manifests in etcd: what is asked of it; a real one is asked in `tests/interop/test_etcd`."""

from __future__ import annotations

import pytest

from discovery.registry.documents import Document, DocumentKey
from discovery.registry.etcd.client import Access, Etcd, Json, text
from discovery.registry.etcd.documents import GROUP, EtcdDocuments
from discovery.registry.store import StoreError


class Scripted(Etcd):
    """An etcd that has these keys, and gives two of them at once."""

    def __init__(self, values: dict[bytes, bytes]) -> None:
        super().__init__(Access(("http://127.0.0.1:1",)))
        self.kvs = [{"key": text(key), "value": text(value)} for key, value in sorted(values.items())]
        self.asked: list[Json] = []

    async def call(self, path: str, body: Json, seconds: float = 3.0) -> Json:
        self.asked.append(dict(body))
        there = [kv for kv in self.kvs if kv["key"] >= body.get("key", "")]
        return {"header": {"revision": str(len(self.asked))}, "kvs": there[:2], "more": len(there) > 2}


def document(name: str, body: bytes = b"{}") -> Document:
    return Document(DocumentKey("Service", "default", name), "shop.yaml:1:1", body)


async def test_all_as_they_were_at_one_revision() -> None:
    names = ("a", "b", "c", "d", "e")
    etcd = Scripted({f"weft/documents/Service/default/{name}".encode(): b"shop.yaml:1:1\0{}" for name in names})
    assert await EtcdDocuments(etcd, b"weft/").load() == [document(name) for name in names]
    assert [each.get("revision") for each in etcd.asked] == [None, "1", "1"]


@pytest.mark.parametrize(
    ("key", "value"), [(b"Service/default", b"a\0{}"), (b"Service/default/a", b""), (b"\xff/a/b", b"a\0{}")]
)
async def test_what_is_none_of_ours(key: bytes, value: bytes) -> None:
    with pytest.raises(StoreError, match="no manifest"):
        await EtcdDocuments(Scripted({b"weft/documents/" + key: value}), b"weft/").load()


async def test_what_changes_together_is_one_transaction() -> None:
    etcd = Scripted({})
    documents = EtcdDocuments(etcd, b"weft/")
    await documents.write([], [])
    await documents.write([document("a"), document("a", b"[]")], [document("a").key, document("b").key])
    (body,) = etcd.asked
    gone, put = body["success"]
    assert gone == {"request_delete_range": {"key": text(b"weft/documents/Service/default/b")}}
    assert put["request_put"]["value"] == text(b"shop.yaml:1:1\0[]")
    await documents.write([document(str(number)) for number in range(GROUP + 1)], [])
    assert [len(each["request_txn"]["success"]) for each in etcd.asked[1]["success"]] == [GROUP, 1]
