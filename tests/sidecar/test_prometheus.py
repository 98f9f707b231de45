"""Asking Prometheus: several at once, within a time limit, and what is not an answer of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from config.promql import Access
from mesh.autoscaling.reading import Reading, amount
from sidecar.prometheus import LARGEST, Prometheus

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
ONE = b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}'


async def serve(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/api/v1/query", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield site.name.rstrip("/").replace("127.0.0.1:0", "{}:{}".format(*runner.addresses[0][:2]))
    await runner.cleanup()


async def asked(answer: Answer, *queries: str, **access: object) -> list[Reading]:
    async for url in serve(answer):
        prometheus = Prometheus(Access(url)._replace(**access))
        readings = await prometheus.ask(queries)
        assert list(readings) == list(queries)
        await prometheus.close()
        found = list(readings.values())
    return found


async def test_an_answer_for_each() -> None:
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(((await request.post())["query"], request.headers["Authorization"]))  # type: ignore[arg-type]
        return web.Response(body=ONE)

    assert await asked(answer, "up", "down", authorization="Bearer x") == [Reading(value=amount(1))] * 2
    assert sorted(seen) == [("down", "Bearer x"), ("up", "Bearer x")]


BODIES: dict[str, tuple[int, bytes, str]] = {
    "not allowed": (401, b"no", "Prometheus answers with status 401"),
    "elsewhere": (302, b"there", "Prometheus answers with status 302"),
    "a bad query": (400, b'{"status":"error","error":"parse error"}', "Prometheus says: parse error"),
    "empty": (200, b"", "Prometheus answers with status 200"),
    "something else": (200, b"<html>", "what answers is no Prometheus"),
    "too much": (200, b"x" * (LARGEST + 1), f"Prometheus answers with more than {LARGEST} bytes"),
}


@pytest.mark.parametrize("case", BODIES)
async def test_what_is_no_number(case: str) -> None:
    status, body, failure = BODIES[case]

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    assert await asked(answer, "up") == [Reading(failure=failure)]


async def test_one_that_does_not_answer_in_time() -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    readings = await asked(answer, *"abcdefgh", timeout=0.2)
    assert {each.failure for each in readings} == {"Prometheus gave no answer within 0.2 s"}


async def test_nobody_there(unused_tcp_port: int) -> None:
    prometheus = Prometheus(Access(f"http://127.0.0.1:{unused_tcp_port}"))
    (reading,) = (await prometheus.ask(["up"])).values()
    assert reading.failure.startswith("Prometheus cannot be asked: ")
    await prometheus.close()


def test_authorities_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"ca\.crt holds no certificates"):
        Prometheus(Access("https://p", authorities=b"x"))
