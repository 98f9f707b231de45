"""Rules read as people write them, and compare as requests are compared with them."""

from __future__ import annotations

import pytest

from mesh.rules import PathKind, rule


@pytest.mark.parametrize(
    ("host", "path", "kind", "text", "key"),
    [
        ("Foo.com", "/a", "Exact", "Exact foo.com/a", b"/a"),
        ("", "/a/", "Exact", "Exact */a/", b"/a/"),
        ("", "/a/", "Prefix", "Prefix */a/", b"/a"),
        ("*.foo.com", "/", "Prefix", "Prefix *.foo.com/", b""),
        ("", "/%61 b", "Prefix", "Prefix */%61 b", b"/a%20b"),
        ("foo.com", "", "Default", "Default foo.com", b""),
    ],
)
def test_rule(host: str, path: str, kind: PathKind, text: str, key: bytes) -> None:
    made = rule(host, path, kind, "Ingress default/i", "there")
    assert (str(made), made.key, made.to) == (text, key, "there")
