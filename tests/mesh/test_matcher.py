"""Which rule a request meets: the rows of Kubernetes' table, precedence, ties, and the same by a naive way."""

from __future__ import annotations

import pytest

from mesh.matcher import Matcher, PathKind, Rule, matcher_of, rule


def rules_of(*written: str) -> list[Rule[str]]:
    """Rules as ``Exact foo.com/path``, ``Prefix /path`` (any host) or ``Default foo.com``; each leads to its words."""
    made = []
    for number, words in enumerate(written):
        kind, _, place = words.partition(" ")
        host, slash, path = place.partition("/")
        made.append(rule(host, slash + path, kind, f"owner {number}", words))  # type: ignore[arg-type]
    return made


def entrance(*written: str) -> Matcher[str]:
    return matcher_of(rules_of(*written))


@pytest.mark.parametrize(
    ("kind", "path", "request_path", "matches"),
    [
        ("Prefix", "/", "/", True),
        ("Prefix", "/", "/any/thing", True),
        ("Exact", "/foo", "/foo", True),
        ("Exact", "/foo", "/bar", False),
        ("Exact", "/foo", "/foo/", False),
        ("Exact", "/foo/", "/foo", False),
        ("Exact", "/foo", "/FOO", False),
        ("Prefix", "/foo", "/foo", True),
        ("Prefix", "/foo", "/foo/", True),
        ("Prefix", "/foo/", "/foo", True),
        ("Prefix", "/foo/", "/foo/", True),
        ("Prefix", "/aaa/bb", "/aaa/bbb", False),
        ("Prefix", "/aaa/bbb", "/aaa/bbb", True),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/", True),
        ("Prefix", "/aaa/bbb", "/aaa/bbb/ccc", True),
        ("Prefix", "/aaa/bbb", "/aaa/bbbxyz", False),
        ("Prefix", "/aaa/bbb/", "/aaa/bbb", True),
    ],
)
def test_kubernetes_table_of_paths(kind: PathKind, path: str, request_path: str, matches: bool) -> None:
    """https://kubernetes.io/docs/concepts/services-networking/ingress/#examples, row by row."""
    found = entrance(f"{kind} {path}", "Default ").match(b"foo.com", request_path.encode())
    assert found == (f"{kind} {path}" if matches else "Default ")
