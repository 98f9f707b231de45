"""CORS as a browser sees it: what a page of another origin may do and read, by policy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.discovery.probes.servers import serving
from tests.scenarios.browser import Blocked, Page, is_simple
from tests.scenarios.manifests import endpoint_slice, policy, service
from tests.scenarios.world import inside

SHOP = "https://shop.example"


class Api:
    """An endpoint that knows nothing of CORS, or what it should not."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.seen.append(head.split(b" ", 1)[0].decode())
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Total: 7\r\nX-Page: 1\r\nSet-Cookie: a=b\r\n"
                b"Access-Control-Allow-Origin: https://evil.example\r\nContent-Length: 0\r\n\r\n"
            )


@asynccontextmanager
async def api(folder: Path, **cors: Any) -> AsyncIterator[tuple[Api, tuple[str, int]]]:
    there = Api()
    async with serving(there.handle) as port:
        objects = service("api", {"http": 8080}), endpoint_slice("api", {"http": port}), policy("api", cors=cors)
        async with inside(folder, *objects) as node:
            yield there, node.address("api")


class Case(NamedTuple):
    cors: dict[str, Any]
    blocked: str = ""
    """Why the page is told nothing; empty: it reads the answer."""
    sent: str = "GET"
    """What the browser sent."""
    reached: str = "GET"
    """What of it the endpoint saw."""
    shown: str = ""
    """The fields that the page sees beside the usual ones."""
    origin: str = SHOP
    method: str = "GET"
    headers: dict[str, str] = {}
    credentials: bool = False


ONE = {"allowOrigins": [SHOP]}
ANY = {"allowOrigins": ["*"]}
TRUSTED = {**ONE, "allowCredentials": True}
JSON = {"Content-Type": "application/json"}
PREFLIGHT = "OPTIONS"
CASES = {
    "a simple request": Case(ONE),
    "of anybody": Case(ANY, origin="https://any.example"),
    "of somebody else": Case(ONE, "for nobody", origin="https://evil.example"),
    "of another scheme": Case(ONE, "for nobody", origin="http://shop.example"),
    "of another port": Case(ONE, "for nobody", origin="https://shop.example:8443"),
    "of a name that ends the same": Case(ONE, "for nobody", origin="https://eshop.example"),
    "of an opaque origin": Case(ONE, "for nobody", origin="null"),
    "of a subdomain": Case({"allowOrigins": ["https://*.shop.example"]}, origin="https://a.b.shop.example"),
    "of the domain of subdomains": Case({"allowOrigins": ["https://*.shop.example"]}, "for nobody"),
    "a form": Case(ONE, sent="POST", reached="POST", method="POST", headers={"Content-Type": "text/plain"}),
    "a method that is asked for": Case(
        {**ONE, "allowMethods": ["PUT"]}, sent="OPTIONS PUT", reached="PUT", method="PUT"
    ),
    "a method that is not allowed": Case(ONE, "PUT is not allowed", PREFLIGHT, "", method="PUT"),
    "any method": Case({**ANY, "allowMethods": ["*"]}, sent="OPTIONS PATCH", reached="PATCH", method="PATCH"),
    "any method with credentials": Case(
        {**TRUSTED, "allowMethods": ["*"]},
        sent="OPTIONS PATCH", reached="PATCH", method="PATCH", credentials=True,
    ),
    "a type that is asked for": Case(
        {**ONE, "allowHeaders": ["content-type"]}, sent="OPTIONS POST", reached="POST", method="POST", headers=JSON
    ),
    "a type that is not allowed": Case(ONE, "content-type is not allowed", PREFLIGHT, "", method="POST", headers=JSON),
    "several fields": Case(
        {**ONE, "allowHeaders": ["X-One", "x-two"]}, sent="OPTIONS GET", headers={"X-Two": "2", "X-One": "1"}
    ),
    "one field too many": Case(
        {**ONE, "allowHeaders": ["X-One"]}, "x-two is not allowed", PREFLIGHT, "", headers={"X-Two": "2", "X-One": "1"}
    ),
    "any field": Case({**ONE, "allowHeaders": ["*"]}, sent="OPTIONS GET", headers={"X-One": "1"}),
    "any field, authorization too": Case(
        {**ONE, "allowHeaders": ["*"]}, sent="OPTIONS GET", headers={"Authorization": "Bearer x"}
    ),
    "a preflight of somebody else": Case(
        {**ONE, "allowMethods": ["PUT"]}, "for nobody", PREFLIGHT, "", origin="https://evil.example", method="PUT"
    ),
    "credentials": Case(TRUSTED, credentials=True),
    "credentials that are not allowed": Case(ONE, "no one with credentials", credentials=True),
    "credentials with any origin": Case(ANY, "for *", credentials=True),
    "credentials after a preflight": Case(
        {**TRUSTED, "allowMethods": ["DELETE"]},
        sent="OPTIONS DELETE", reached="DELETE", method="DELETE", credentials=True,
    ),
    "a field that is shown": Case({**ONE, "exposeHeaders": ["X-Total"]}, shown="x-total"),
    "all fields": Case({**ANY, "exposeHeaders": ["*"]}, shown="x-page x-total"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
async def test_a_page(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    async with api(tmp_path, **case.cors) as (there, where):
        page, blocked, shown = Page(case.origin, *where, lambda: 0.0), "", []
        try:
            answer = await page.fetch("/v1?a=b", case.method, case.headers, case.credentials)
        except Blocked as refusal:
            blocked = str(refusal)
        else:
            assert answer.status == 200
            shown = sorted(name for name in answer.fields if name.startswith("x-") and name != "x-request-id")
        assert (blocked.endswith(case.blocked), bool(blocked)) == (True, bool(case.blocked)), blocked
        assert page.sent == case.sent.split()
        assert there.seen == case.reached.split()
        assert shown == case.shown.split()


async def test_a_preflight_is_kept_for_as_long_as_was_said(tmp_path: Path) -> None:
    now = [0.0]
    async with api(tmp_path, **ONE, allowMethods=["PUT", "DELETE"], allowHeaders=["X-One"], maxAge="1m") as (_, where):
        page = Page(SHOP, *where, lambda: now[0])
        await page.fetch("/", "PUT")
        await page.fetch("/", "DELETE", {"X-One": "1"})
        assert page.sent == ["OPTIONS", "PUT", "DELETE"], "one answer is for all methods and fields that it lists"
        await page.fetch("/other", "PUT")
        assert page.sent[3:] == ["OPTIONS", "PUT"], "and for one path"
        now[0] = 59.0
        await page.fetch("/", "PUT")
        now[0] = 61.0
        await page.fetch("/", "PUT")
        assert page.sent[5:] == ["PUT", "OPTIONS", "PUT"]


async def test_an_answer_of_the_proxy_itself_can_be_read(tmp_path: Path) -> None:
    """Why a request failed is what a page wants to know most."""
    objects = service("api", {"http": 8080}), policy("api", cors=ONE)
    async with inside(tmp_path, *objects) as node:
        answer = await Page(SHOP, *node.address("api"), lambda: 0.0).fetch("/")
        assert answer.status == 503


@pytest.mark.parametrize(
    ("name", "value", "simple"),
    [
        ("Accept", "*/*", True),
        ("accept", "x" * 129, False),
        ("Content-Type", "Text/Plain; charset=utf-8", True),
        ("Content-Type", "application/json", False),
        ("Content-Type", "text/plain<", False),
        ("X-One", "1", False),
        ("Authorization", "x", False),
    ],
)
def test_what_needs_no_preflight(name: str, value: str, simple: bool) -> None:
    assert is_simple(name, value) is simple
