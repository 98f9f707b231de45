"""Rewrites of path and host."""

from __future__ import annotations

import pytest

from config.filters import RewritePolicy
from mesh.filters.rewrite import Rewrite
from tests.mesh.filters.asking import query


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (RewritePolicy(path="/x"), "GET /x?b HTTP/1.1\r\nHost: shop.example\r\nA: b\r\n"),
        (RewritePolicy(prefix="/"), "GET /a?b HTTP/1.1\r\nHost: shop.example\r\nA: b\r\n"),
        (RewritePolicy(host="in.example"), "GET /foo/a?b HTTP/1.1\r\nHost: in.example\r\nA: b\r\n"),
        (RewritePolicy("in.example", prefix="/v2"), "GET /v2/a?b HTTP/1.1\r\nHost: in.example\r\nA: b\r\n"),
    ],
)
def test_rewrites(policy: RewritePolicy, expected: str) -> None:
    assert Rewrite(policy, b"/foo")(query("/foo/a?b", "A: b").lines) == expected.encode()


def test_the_host_is_replaced_wherever_it_stands() -> None:
    lines = b"GET / HTTP/1.1\r\nA: b\r\nHOST: old\r\nX-Host: stays\r\n"
    assert Rewrite(RewritePolicy("new"))(lines) == b"GET / HTTP/1.1\r\nHost: new\r\nA: b\r\nX-Host: stays\r\n"


def test_nothing_that_breaks_out_of_a_line_is_taken() -> None:
    for policy in (RewritePolicy("a\r\nb"), RewritePolicy(path="/\r\n"), RewritePolicy(prefix="/\n")):
        with pytest.raises(ValueError, match="is not a"):
            Rewrite(policy)
