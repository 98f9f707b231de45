"""Cookies that the proxy issues: a client stays where it came first, and answers say what is left of a limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.dialogue import exchange
from tests.scenarios.test_balancing import REQUEST, shop


def asking(cookie: str) -> bytes:
    return REQUEST.replace(b"\r\n\r\n", f"\r\nCookie: {cookie}\r\n\r\n".encode())


@pytest.mark.parametrize("kind", ["RingHash", "Maglev"])
async def test_a_client_stays_where_its_first_answer_came_from(kind: str, tmp_path: Path) -> None:
    key = {"cookie": "lane", "issue": {"ttl": "1h", "path": "/x"}}
    async with shop(tmp_path, 3, balancer={"type": kind, "hash": key}) as there:
        where = there.node.address("web")
        homes = set()
        for _ in range(12):
            first = await exchange(*where, REQUEST)
            said = first.fields["set-cookie"]
            cookie, attributes = said.split("; ", 1)
            assert attributes == "Path=/x; Max-Age=3600; HttpOnly; SameSite=Lax"
            for _ in range(3):
                again = await exchange(*where, asking(cookie))
                assert (again.body, "set-cookie" in again.fields) == (first.body, False)
            homes.add(first.body)
        assert len(homes) > 1, "clients are spread"


async def test_without_issue_cookies_are_the_endpoints_own(tmp_path: Path) -> None:
    async with shop(tmp_path, 2, balancer={"type": "Maglev", "hash": {"cookie": "lane"}}) as there:
        reply = await exchange(*there.node.address("web"), REQUEST)
        assert "set-cookie" not in reply.fields


async def test_answers_say_what_is_left(tmp_path: Path) -> None:
    limit = {"client": {"requests": 2, "per": "1m"}, "fields": True}
    async with shop(tmp_path, 1, rateLimit=limit) as there:
        replies = [await exchange(*there.node.address("web"), REQUEST) for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert [reply.fields["ratelimit-policy"] for reply in replies] == ['"client";q=2;w=60'] * 3
        left = [reply.fields["ratelimit"].split(";")[1] for reply in replies]
        assert left == ["r=1", "r=0", "r=0"]
        assert "retry-after" in replies[2].fields
