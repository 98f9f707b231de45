"""Requests and responses through the proxy: framing both ways, interim responses, persistence, pipelining."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import weakref
from typing import Any

import pytest

from mesh.access_log import Ended, record_of, wall
from mesh.upload import KEPT
from tests.mesh.dialogue import GET, OK, PATIENCE, Script, Wire, answering, get, mesh


async def test_a_request_and_its_response() -> None:
    async with mesh(answering(OK)) as world:
        assert await world.ask(GET) == OK
        head = world.endpoints[0].heads[0]
        assert head.startswith(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert b"\r\nVia: 1.1 weft\r\n" in head
        assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in head
        assert b"\r\nX-Request-Id: " in head
        assert world.stats.codes == {200: 1}
        assert sum(world.stats.duration_buckets) == 1
        assert world.stats.bytes_in
        assert world.stats.bytes_out == len(OK)


async def test_connections_are_reused_on_both_sides() -> None:
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        for _ in range(5):
            await wire.send(GET)
            assert await wire.exactly(len(OK)) == OK
        assert world.endpoints[0].connections == 1
        assert world.backend.endpoints[world.addresses[0].where].requests == 5


async def test_a_connection_that_waits_keeps_no_old_table() -> None:
    class Plans(dict[Any, Any]):
        """Of very many Backends."""

    async with mesh(answering(OK)) as world:
        plans = Plans()
        kept = weakref.ref(plans)
        world.proxy.table = dataclasses.replace(world.proxy.table, generation=2, backends=plans)
        del plans
        wire = await world.dial()
        await wire.send(GET)
        await wire.exactly(len(OK))
        world.proxy.table = dataclasses.replace(world.proxy.table, generation=3, backends={})
        assert kept() is None
        await wire.send(GET)
        assert await wire.exactly(len(OK)) == OK


async def test_round_robin_is_exact() -> None:
    async with mesh(*[answering(OK)] * 3) as world:
        wire = await world.dial()
        for _ in range(30):
            await wire.send(GET)
            await wire.exactly(len(OK))
        assert [len(endpoint.heads) for endpoint in world.endpoints] == [10, 10, 10]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"


OLD = b"GET / HTTP/1.0\r\n\r\n"
HEADED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
INTERIM = b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n"


def with_connection(option: bytes) -> bytes:
    return LENGTH.replace(b"5\r\n", b"5\r\nConnection: " + option + b"\r\n", 1)


@pytest.mark.parametrize(
    ("answer", "request_", "expected"),
    [
        (CHUNKED, GET, CHUNKED),
        (LENGTH, GET, LENGTH),
        (CLOSING, GET, LENGTH),
        (CHUNKED, OLD, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"),
        (LENGTH, OLD, with_connection(b"close")),
        (LENGTH, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", with_connection(b"keep-alive")),
        (LENGTH, get("/", "Connection: close"), with_connection(b"close")),
        (b"HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n", GET, b"HTTP/1.1 204 N\r\n\r\n"),
        (NOT_MODIFIED, GET, NOT_MODIFIED),
        (HEADED, get(method="HEAD"), HEADED),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", GET, LENGTH),
        (INTERIM + LENGTH, GET, INTERIM + LENGTH),
        (b"HTTP/1.1 100 C\r\n\r\n" + LENGTH, OLD, with_connection(b"close")),
    ],
)
async def test_framing_of_responses(answer: bytes, request_: bytes, expected: bytes) -> None:
    async with mesh(answering(answer)) as world:
        assert await world.ask(request_) == expected
    split = [answer[i : i + 7] for i in range(0, len(answer), 7)]
    async with mesh(pieces(*split)) as world:
        assert await world.ask(request_) == expected


def pieces(*parts: bytes, close: bool = False) -> Script:
    """One answer, part by part."""

    async def script(wire: Wire) -> None:
        await wire.message()
        for part in parts:
            await wire.send(part)
            await asyncio.sleep(0.001)
        if not close:
            await wire.rest()

    return script


async def test_a_body_until_close_is_chunked_for_a_new_client() -> None:
    async with mesh(pieces(b"HTTP/1.1 200 OK\r\n\r\nhe", b"llo", close=True)) as world:
        wire = await world.dial()
        await wire.send(GET)
        head, body = await wire.message()
        assert b"Transfer-Encoding: chunked" in head
        assert body == b"hello"
        assert await world.ask(b"GET / HTTP/1.0\r\n\r\n") == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"


BODIES = {
    "length": (get("/", method="POST", body=b"hello" * 9), b"hello" * 9),
    "chunked": (
        get("/", "Transfer-Encoding: chunked", method="POST")
        + b"5;a=b\r\nhello\r\n3\r\n\r\n\r\r\n0\r\nA: b\r\n\r\n",
        b"hello\r\n\r",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("step", [1, 7, 60, 10_000])
async def test_request_bodies_however_split(name: str, step: int) -> None:
    raw, body = BODIES[name]
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        for at in range(0, len(raw), step):
            await wire.send(raw[at : at + step])
            await asyncio.sleep(0)
        assert await wire.exactly(len(OK)) == OK
        assert world.endpoints[0].bodies == [body]


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def script(wire: Wire) -> None:
        while True:
            head, _ = await wire.message()
            path = head.split(b" ")[1]
            await asyncio.sleep(0.001 if path == b"/3" else 0)
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    async with mesh(script, script) as world:
        raw = b"".join(get(f"/{n}", method="POST", body=b"x" * n) for n in range(20))
        answers = await world.ask(raw)
        assert [part.partition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 200")[1:]] == [
            b"/%d" % n for n in range(20)
        ]


async def test_very_many_pipelined_requests_that_cannot_be_served() -> None:
    async with mesh() as world:
        answers = await world.ask(GET * 3000)
        assert answers.count(b"HTTP/1.1 503 ") == 3000


async def test_what_is_read_ahead_is_bounded() -> None:
    gate = asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            await wire.message()
            await gate.wait()
            await wire.send(OK)

    async with mesh(script) as world:
        wire = await world.dial()
        count = 60_000
        wire.writer.write(GET * count)
        await world.wait(lambda: world.clients[0].held)
        assert len(world.clients[0]._ahead) < 2**19
        gate.set()
        world.endpoints[0].script = answering(OK)
        assert await wire.exactly(len(OK) * 100) == OK * 100
        wire.reset()


@pytest.mark.parametrize("at", range(1, len(GET)))
async def test_a_head_split_anywhere(at: int) -> None:
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(GET[:at])
        await asyncio.sleep(0.002)
        await wire.send(GET[at:])
        assert await wire.exactly(len(OK)) == OK


async def test_expect_100_continue_end_to_end() -> None:
    async def script(wire: Wire) -> None:
        head = await wire.until(b"\r\n\r\n")
        assert b"Expect: 100-continue" in head
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await wire.exactly(5) == b"hello"
        await wire.send(OK)

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(get("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
        assert await wire.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await wire.send(b"hello")
        assert await wire.exactly(len(OK)) == OK


async def test_an_early_answer_ends_the_connection() -> None:
    async def script(wire: Wire) -> None:
        await wire.until(b"\r\n\r\n")
        await wire.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await wire.rest()

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(get("/", "Content-Length: 50", method="POST") + b"12345")
        assert await wire.rest() == b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def test_bytes_beyond_a_response_are_nobodys() -> None:
    async with mesh(pieces(OK + OK)) as world:
        wire = await world.dial()
        for _ in range(2):
            await wire.send(GET)
            assert await wire.exactly(len(OK)) == OK
        assert world.endpoints[0].connections == 2


async def test_bytes_on_an_idle_connection_end_it() -> None:
    async with mesh(pieces(OK, b"", b"", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")) as world:
        wire = await world.dial()
        for _ in range(2):
            await wire.send(GET)
            assert await wire.exactly(len(OK)) == OK
            await world.wait(lambda: not world.backend.endpoints[world.addresses[0].where].idle)
        assert world.endpoints[0].connections == 2


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", b"http_protocol_error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"http_protocol_error"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", b"http_response_transfer_coding"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000, b"http_response_header_section_size"),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", b"http_protocol_error"),
        (b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", b"http_upgrade_failed"),
        (b"HTTP/1.1 100 C\r\n\r\n" * 40, b"http_protocol_error"),
        (b"SSH-2.0-x\r\n\r\n", b"http_protocol_error"),
    ],
)
async def test_malformed_responses_are_refused(head: bytes, error: bytes) -> None:
    async with mesh(pieces(head)) as world:
        answer = await world.ask(GET)
        assert b"HTTP/1.1 502 Bad Gateway\r\n" in answer
        assert b"Proxy-Status: weft; error=" + error in answer
        assert world.stats.reasons == {error.decode(): 1}
        assert world.stats.codes == {502: 1}


TRUNCATED = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n;\r\n",
}


@pytest.mark.parametrize("name", TRUNCATED)
async def test_a_truncated_response_is_seen_as_truncated(name: str) -> None:
    async with mesh(pieces(TRUNCATED[name], close=True)) as world:
        wire = await world.dial()
        await wire.send(GET)
        answer = await wire.rest()
        assert not answer.endswith(b"0\r\n\r\n")
        assert name == "bad chunk" or answer.rstrip(b"\r\n").endswith(b"hello")
        assert world.stats.codes == {200: 1}
        assert sum(world.stats.reasons.values()) == 1
        wire = await world.dial()
        await wire.send(b"GET / HTTP/1.0\r\n\r\n")
        answer = await wire.rest()
        assert answer.endswith(b"<reset>") or b"Content-Length: 50" in answer


async def test_a_response_that_ends_in_a_reset_is_not_complete() -> None:
    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await asyncio.sleep(0.02)
        wire.reset()

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(GET)
        answer = await wire.rest()
        assert answer.endswith(b"5\r\nhello\r\n")


async def test_draining_closes_after_the_answer() -> None:
    async with mesh(answering(OK)) as world:
        idle, wire = await world.dial(), await world.dial()
        await world.wait(lambda: len(world.proxy.clients) == 2)
        world.proxy.draining = True
        await wire.send(GET)
        assert b"Connection: close\r\n" in await wire.rest()
        world.proxy.drain()
        assert await idle.rest() == b""


async def test_the_access_log_is_told() -> None:
    async with mesh(answering(OK)) as world:
        ended: list[Ended] = []
        world.proxy.access_log = ended.append
        await world.ask(get("/a?b"))
        world.use()
        await world.ask(get("/c", method="HEAD"))
        first, second = [record_of(one, wall()) for one in ended]
        assert 0 <= time.time() - first.time < PATIENCE
        assert (first.method, first.target, first.status, first.tries) == ("GET", "/a?b", 200, 1)
        assert (first.service, first.endpoint) == ("shop", f"127.0.0.1:{world.addresses[0].port}")
        assert first.bytes_out == len(OK)
        assert first.request_id.encode() in world.endpoints[0].heads[0]
        assert (second.method, second.status, second.reason) == ("HEAD", 503, "destination_unavailable")


async def test_a_client_that_leaves_is_counted() -> None:
    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.rest()

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(GET)
        await world.wait(lambda: bool(world.endpoints[0].heads))
        wire.reset()
        await world.wait(lambda: world.stats.codes == {499: 1})


async def test_a_listener_that_is_gone() -> None:
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(GET)
        await wire.exactly(len(OK))
        world.proxy.table = type(world.proxy.table)()
        await wire.send(GET)
        assert b"error=destination_not_found" in await wire.rest()


def post(body: bytes, *fields: str) -> bytes:
    return get("/", *fields, method="POST", body=body)


async def test_bodies_come_whole_in_part_and_ahead() -> None:
    bodies = [b"one", b"", b"three", b"x" * (KEPT + 1), b"last"]
    sent = b"".join(post(body) if body else get("/", "Content-Length: 0", method="PUT") for body in bodies)
    for size in (len(sent), 65, 7):
        async with mesh(answering(OK)) as world:
            wire = await world.dial()
            if size == 7:  # two requests, in small pieces
                sent, bodies = post(b"one") + post(b"two"), [b"one", b"two"]
            for at in range(0, len(sent), size):
                await wire.send(sent[at : at + size])
            for _ in bodies:
                assert (await wire.message())[1] == b"ok"
            assert world.endpoints[0].bodies == bodies
            assert world.stats.bytes_in == sum(map(len, world.endpoints[0].heads + bodies))


async def test_a_body_is_counted_once_and_told() -> None:
    async with mesh(answering(OK)) as world:
        ended: list[Ended] = []
        world.proxy.access_log = ended.append
        wire = await world.dial()
        for request in (GET, post(b"12345"), GET):
            await wire.send(request)
            await wire.message()
        records = [record_of(one, wall()) for one in ended]
        heads = list(map(len, world.endpoints[0].heads))
        assert [record.bytes_in for record in records] == [heads[0], heads[1] + 5, heads[2]]
        assert [record.method for record in records] == ["GET", "POST", "GET"]
        assert world.stats.bytes_in == sum(heads) + 5


async def test_a_whole_body_goes_again_if_it_may() -> None:
    async def ends(wire: Wire) -> None:
        await wire.message()
        await wire.close()

    for method, status in (("PUT", b"200"), ("POST", b"502")):
        async with mesh(ends, answering(OK)) as world:
            answers = [await world.ask(get("/", method=method, body=b"body")) for _ in range(2)]
            assert sorted(answer.split(b" ")[1] for answer in answers) == sorted([b"200", status])
            assert world.endpoints[1].bodies == [b"body"] * (2 if status == b"200" else 1)
