"""``weft delete``: what it asks for (tests/sidecar/test_apply.py has what becomes of it)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.meta import ObjectKey
from sidecar.cli import main
from sidecar.commands import delete

FILE = """
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: nonsense}]}}
---
{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}]}
---
{apiVersion: weft.dev/v1, kind: NodeConfig, metadata: {name: node}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}}
"""


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["svc", "web"], ["Service/default/web"]),
        (["ing", "web", "-n", "shop"], ["Ingress/shop/web"]),
        (["ing/web", "-n", "shop"], ["Ingress/shop/web"]),
        (["ns", "shop"], ["Namespace/shop"]),
        (["-f", "{file}"], ["ConfigMap/default/settings", "Service/shop/web"]),
    ],
)
def test_an_object_is_named_as_it_is_stored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], keys: list[str]
) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(FILE)
    asked: list[tuple[str, str, bytes]] = []
    monkeypatch.setattr(delete, "write", lambda _, *wish: asked.append(wish) or 0)
    assert main(["delete", *(word.replace("{file}", str(file)) for word in words)]) == 0
    [(method, path, body)] = asked
    assert (method, path) == ("DELETE", delete.PATH)
    assert [str(ObjectKey(**each)) for each in json.loads(body)["objects"]] == keys


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["all", "web"], 1, "delete: no kind is called"),
        (["nonsense", "web"], 1, "delete: no kind is called"),
        (["svc/"], 2, "give either KIND NAME or -f PATH"),
        (["svc"], 2, "give either KIND NAME or -f PATH"),
        ([], 2, "give either KIND NAME or -f PATH"),
        (["svc", "web", "-f", "{file}"], 2, "give either KIND NAME or -f PATH"),
        (["-f", "{file}"], 1, "web.yaml:2:1: not valid YAML"),
        (["-f", "{file}.gone"], 1, "no such file"),
        (["-f", "{folder}"], 1, "there is no object in these files"),
    ],
)
def test_mistakes(tmp_path: Path, words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("{apiVersion: v1\n")
    folder = tmp_path / "empty"
    folder.mkdir()
    assert main(["delete", *(word.format(file=file, folder=folder) for word in words)]) == code
    said = capsys.readouterr().err
    assert says in said
    assert "or all" not in said
