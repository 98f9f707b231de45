"""Who is given a cookie, what it says, and who keeps the one it has."""

from __future__ import annotations

import pytest

from config.balancing import CookieIssue, HashKey
from mesh.filters.cookie import Cookie
from tests.mesh.filters.asking import query

LINES = b"GET / HTTP/1.1\r\nHost: shop\r\n"
KEY = HashKey(cookie="user")
ISSUES = {
    "as it is": (CookieIssue(), b"; Path=/; HttpOnly; SameSite=Lax"),
    "for an hour": (CookieIssue(ttl=3600.0), b"; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"),
    "for a part": (CookieIssue(path="/cart"), b"; Path=/cart; HttpOnly; SameSite=Lax"),
    "for scripts": (CookieIssue(http_only=False), b"; Path=/; SameSite=Lax"),
    "for frames": (CookieIssue(same_site="None", secure=True), b"; Path=/; HttpOnly; Secure; SameSite=None"),
}


@pytest.mark.parametrize("case", ISSUES)
def test_what_it_says(case: str) -> None:
    issue, attributes = ISSUES[case]
    cookie = Cookie(KEY, issue)
    value = cookie.new(LINES, lambda: 0.5)
    assert value == b"10000000000000"
    head = b"HTTP/1.1 200 OK\r\nServer: x\r\n"
    said = b"Set-Cookie: user=" + value + attributes + b"\r\n"
    assert cookie.response(query()._replace(key=value), head) == head + said
    assert cookie.response(query(), head) == head, "to others nothing is said"


HEADS = {
    "none": (b"", True),
    "another": (b"Cookie: users=1; xuser=2\r\n", True),
    "an empty one": (b"Cookie: user=\r\n", True),
    "its own": (b"Cookie: a=b; user=7\r\n", False),
    "in another line": (b"Cookie: a=b\r\ncookie: user=7\r\n", False),
}


@pytest.mark.parametrize("case", HEADS)
def test_who_is_given_one(case: str) -> None:
    line, given = HEADS[case]
    assert bool(Cookie(KEY, CookieIssue()).new(LINES + line, lambda: 0.25)) is given


def test_values_differ() -> None:
    cookie = Cookie(KEY, CookieIssue())
    assert len({cookie.new(LINES, lambda n=n: n / 1000) for n in range(1000)}) == 1000  # type: ignore[misc]
