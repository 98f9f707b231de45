"""``weft delete``: what it asks for (tests/sidecar/test_apply.py has what becomes of it)."""

from __future__ import annotations

import pytest

from sidecar.cli import main
from sidecar.commands import delete


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["svc", "web"], "kind=Service&namespace=default&name=web"),
        (["ing", "web", "-n", "shop"], "kind=Ingress&namespace=shop&name=web"),
        (["ns", "shop"], "kind=Namespace&namespace=&name=shop"),
    ],
)
def test_an_object_is_named_as_it_is_stored(monkeypatch: pytest.MonkeyPatch, words: list[str], path: str) -> None:
    asked: list[str] = []
    monkeypatch.setattr(delete, "write", lambda _, method, where: asked.append(f"{method} {where}") or 0)
    assert main(["delete", *words]) == 0
    assert asked == [f"DELETE {delete.PATH}?{path}"]


@pytest.mark.parametrize("kind", ["all", "nonsense"])
def test_another_kind_is_refused(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["delete", kind, "web"]) == 1
    said = capsys.readouterr().err
    assert "delete:" in said
    assert "or all" not in said
