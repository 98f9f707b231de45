"""The hosts file: what is read of it, and that it is read again when it was changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from discovery.sources.hosts import Hosts, parse

TEXT = """
127.0.0.1   localhost
::1         localhost ip6-localhost  # ours
10.0.0.1    DB.example.com db
10.0.0.2    db.example.com.
fe80::1%lo0 link
# 10.0.0.3  no
nonsense    db
10.0.0.4
"""


@pytest.mark.parametrize(
    ("name", "kind", "addresses"),
    [
        ("localhost", "A", ("127.0.0.1",)),
        ("localhost.", "AAAA", ("::1",)),
        ("db.example.com", "A", ("10.0.0.1", "10.0.0.2")),
        ("Db.Example.Com.", "AAAA", ()),
        ("link", "AAAA", ("fe80::1%lo0",)),
        ("no", "A", None),
        ("example.com", "A", None),
    ],
)
def test_names(name: str, kind: str, addresses: tuple[str, ...] | None, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text(TEXT)
    assert Hosts(path).find(name, kind) == addresses


def test_it_is_read_again_when_it_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    hosts = Hosts(path)
    assert hosts.find("a", "A") is None
    path.write_text("10.0.0.1 a")
    assert hosts.find("a", "A") == ("10.0.0.1",)
    path.write_text("10.0.0.2 a")
    os.utime(path, (5, 5))
    assert hosts.find("a", "A") == ("10.0.0.2",)
    path.unlink()
    assert hosts.find("a", "A") is None


def test_nothing_is_said_twice() -> None:
    assert parse("10.0.0.1 a a\n10.0.0.1 a") == {"a": ("10.0.0.1",)}
