"""What the admin API says of nodes, and of stored manifests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.errors import Fault
from config.meta import Source
from sidecar.channel.administration import Administration, _faults
from sidecar.channel.messages import Hello, InForce
from sidecar.channel.nodes import Nodes
from sidecar.channel.shelf import Shelf
from sidecar.documents import Refused, slices
from tests.sidecar.channel.test_keeping import BAD, WEB, keeping


def _plain(answer: tuple[int, Mapping[str, object]]) -> Any:
    return json.loads(b"".join(slices(answer[1])))


async def test_nodes_are_listed_with_what_they_have(tmp_path: Path) -> None:
    time = [100.0]
    nodes = Nodes(lambda: ["leased", "here"], lambda: time[0])
    async with keeping(tmp_path) as there:
        said = Administration(there, nodes, lambda: 12, Shelf(4))
        here, gone = nodes.came("here", Hello(1, "0.1", "node"), "10.0.0.1"), nodes.came("gone", Hello(1, "0.2"), "")
        nodes.has(here, InForce(10, 4))
        nodes.left(gone)
        assert await nodes.confirmed(11, 0.0) == ("here", "leased")
        time[0] += 3
        document = _plain(said.nodes())
    assert (document["serial"], document["manifests"]) == (12, 4)
    by_name = {each["name"]: each for each in document["nodes"]}
    assert list(by_name) == ["gone", "here", "leased"]
    assert by_name["here"] == {
        "name": "here", "leased": True, "connected": True, "role": "node", "version": "0.1", "address": "10.0.0.1",
        "serial": 10, "lag": 2, "manifests": 4, "lastContactSeconds": 3.0, "connectedSeconds": 3.0,
    }  # fmt: skip
    assert (by_name["gone"]["connected"], by_name["gone"]["lag"]) == (False, None)
    assert by_name["leased"] == {"name": "leased", "leased": True, "connected": False}
    assert [(each["serial"], each["nodes"]) for each in document["unconfirmed"]] == [(11, ["here", "leased"])]


async def test_manifests_are_applied_listed_and_deleted(tmp_path: Path) -> None:
    async with keeping(tmp_path) as there:
        said = Administration(there, Nodes(list, lambda: 0.0), lambda: 1, Shelf(1))
        status, document = await said.write("POST", {}, _body(WEB))
        assert (status, document["changes"]) == (
            200, [{"kind": "Service", "namespace": "default", "name": "web", "what": "created"}],
        )  # fmt: skip
        assert [(each["name"], each["source"]) for each in _plain(said.stored())["manifests"]] == [
            ("web", "web.json:1:1")
        ]
        status, document = await said.write("POST", {}, _body(BAD))
        faults: Any = document["faults"]
        errors = [fault for fault in faults if fault["severity"] == "error"]
        assert (status, [fault["source"][:11] for fault in errors]) == (422, ["bad.yaml:5:"])
        web = json.dumps({"objects": [{"kind": "Service", "namespace": "default", "name": "web"}]}).encode()
        for query, what in (({"dry-run": [""]}, "deleted"), ({}, "deleted"), ({}, "not stored")):
            status, document = await said.write("DELETE", query, web)
            assert (status, _plain((status, document))["changes"][0]["what"]) == (200, what)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"files": [1]}', b'{"files": [{"name": "a"}]}', b"\xff"])
async def test_another_body_is_refused_in_words(tmp_path: Path, body: bytes) -> None:
    async with keeping(tmp_path) as there:
        said = Administration(there, Nodes(list, lambda: 0.0), lambda: 1, Shelf(1))
        with pytest.raises(Refused, match="body"):
            await said.write("POST", {}, body)


def _body(*files: tuple[str, str]) -> bytes:
    return json.dumps({"files": [{"name": name, "text": text} for name, text in files]}).encode()


@pytest.mark.parametrize(
    ("file", "shown"), [("web.yaml", "web.yaml:1:273"), ("stored Service/default/web", "stored Service/default/web")]
)
def test_what_is_stored_has_no_lines(file: str, shown: str) -> None:
    [told] = _faults((Fault("error", Source(file, 1, 273), "wrong"),))
    assert told["source"] == shown
