"""HTTP/1.1 messages through the proxy: numbers, framing and bodies that most implementations get wrong somewhere.

The tables of tests/mesh/smuggling hold many more of their kind.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.mesh.dialogue import OK, Mesh, Wire, answering, get, mesh

NOT_HERE = (("HTTP/2 and HTTP/3 framing", "relayed as TCP, unread"),)

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *lines]) + b"\r\n\r\n" + body


def sized(length: bytes) -> bytes:
    return post(b"Content-Length: " + length, body=b"abc")


CHUNKED = b"Transfer-Encoding: chunked"
EMPTY = b"0\r\n\r\n"


def chunks(body: bytes) -> bytes:
    return post(CHUNKED, body=body)


def to_host(host: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"


REFUSED = {
    "a length with a plus sign": sized(b"+3"),
    "a length with an underscore": sized(b"1_0"),
    "a negative length": sized(b"-0"),
    "a hexadecimal length": sized(b"0x3"),
    "a negative hexadecimal length": sized(b"-0x0"),
    "a length in Arabic digits": sized("\u0663".encode()),
    "a length in superscript": sized("\u00b3".encode("latin-1")),
    "a length before NEL": sized(b"3\x85"),
    "a length after NBSP": sized(b"\xa03"),
    "a length and another one": sized(b"3, 3"),
    "a chunk size with a plus sign": chunks(b"+3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with an underscore": chunks(b"0_3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with a prefix": chunks(b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a negative chunk size": chunks(b"-0x0\r\n\r\n"),
    "a chunk size after a space": chunks(b" 3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size before NEL": chunks(b"3\x85\r\nabc\r\n0\r\n\r\n"),
    "a port with a plus sign": to_host(b"a:+80"),
    "a port of 65536": to_host(b"a:65536"),
    "Content-Length beside Transfer-Encoding": post(b"Content-Length: 3", CHUNKED, body=b"0\r\n\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked", body=EMPTY),
    "chunked twice, in two fields": post(b"Transfer-Encoding: chunked", CHUNKED, body=b"0\r\n\r\n"),
    "chunked and then another": post(b"Transfer-Encoding: chunked, gzip", body=EMPTY),
    "CR CR at the end of a chunk line": chunks(b"3\r\r\nabc\r\n0\r\n\r\n"),
    "LF alone at the end of a chunk line": chunks(b"3\nabc\r\n0\r\n\r\n"),
    "chunk data without CRLF": chunks(b"3\r\nabcXX0\r\n\r\n"),
    "chunk data that is longer than said": chunks(b"3\r\nabcd\r\n0\r\n\r\n"),
    "NUL in a chunk extension": chunks(b"3;a=\0\r\nabc\r\n0\r\n\r\n"),
    "a control character in a chunk extension": chunks(b"3;a=\x01\r\nabc\r\n0\r\n\r\n"),
    "LF in a chunk extension": chunks(b"3;a=\nb\r\nabc\r\n0\r\n\r\n"),
    "a space before the colon": post(b"Content-Length : 3", body=b"abc"),
    "a Host with a space": to_host(b"a b"),
    "a Host with a slash": to_host(b"a/b"),
    "a Host with user information": to_host(b"user@a"),
    "an empty Host": to_host(b""),
    "two Hosts": to_host(b"a\r\nHost: b"),
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused_with_400_and_the_connection_closed(case: str) -> None:
    async with mesh(answering(OK)) as world:
        said = await world.ask(REFUSED[case] + HIDDEN)
        assert said.startswith(b"HTTP/1.1 400 ")
        assert said.count(b"HTTP/1.1 ") == 1
        assert b"\r\nConnection: close\r\n" in said
        assert not [body for body in world.endpoints[0].bodies if body], "none of it is a body to anybody"
        assert HIDDEN[:11] not in b"".join(world.endpoints[0].heads)


async def test_a_comma_before_chunked_is_still_chunked() -> None:
    async with mesh(answering(OK)) as world:
        said = await world.ask(post(b"Transfer-Encoding: ,chunked", body=b"3\r\nabc\r\n0\r\n\r\n"))
        assert said.startswith(b"HTTP/1.1 200 ")
        assert world.endpoints[0].bodies == [b"abc"]


async def test_what_only_looks_like_white_space_is_kept_byte_for_byte() -> None:
    async with mesh(answering(OK)) as world:
        await world.ask(get("/", "X-Odd: \x85\xa0a\xa0\x85").replace(b"\xc2", b""))
        assert b"\r\nX-Odd: \x85\xa0a\xa0\x85\r\n" in world.endpoints[0].heads[0]


# -- bodies


async def twice(world: Mesh, request: bytes, bodiless: bool) -> tuple[bytes, bytes]:
    """The head of the answer to `request`, and of that to another one on the same connection."""
    wire = await world.dial()
    await wire.send(request)
    head, _ = await wire.message(bodiless=bodiless)
    await wire.send(get("/next"))
    following, body = await wire.message()
    assert body == b"ok"
    return head, following


BODILESS = {
    "HEAD, with a length": (get(method="HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" 200 "),
    "HEAD, in chunks": (get(method="HEAD"), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b" 200 "),
    "204, with a length": (get(), b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b" 204 "),
    "304, with a length": (get(), b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b" 304 "),
}


@pytest.mark.parametrize("case", BODILESS)
async def test_answers_without_a_body(case: str) -> None:
    request, answer, status = BODILESS[case]
    async with mesh(answering(answer, OK)) as world:
        head, following = await twice(world, request, bodiless=True)
        assert status in head.split(b"\r\n")[0] + b" "
        assert following.startswith(b"HTTP/1.1 200 ")


async def test_several_interim_responses_come_before_the_final_one() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with mesh(answering(interim * 3 + OK)) as world:
        said = await world.ask(get())
        assert said.count(b"HTTP/1.1 103 ") == 3
        assert said.endswith(b"\r\n\r\nok")


async def test_101_begins_a_tunnel() -> None:
    async def echo(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        while data := await wire.reader.read(100):
            await wire.send(data)

    async with mesh(echo) as world:
        wire = await world.dial()
        await wire.send(get("/", "Connection: upgrade", "Upgrade: websocket"))
        assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        for data in (HIDDEN, b"\0\x01\x02"):
            await wire.send(data)
            assert await wire.exactly(len(data)) == data, "no request any more, whatever it looks like"
        await wire.close()


async def test_bytes_after_connection_close_are_never_a_request() -> None:
    async with mesh(answering(OK)) as world:
        said = await world.ask(get("/", "Connection: close") + HIDDEN)
        assert said.count(b"HTTP/1.1 200 ") == 1
        assert [head.split()[1] for head in world.endpoints[0].heads] == [b"/"]


TRUNCATED = {
    "by length": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", 1),
    "by chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello", 1),
    "by chunks, for a client of HTTP/1.0": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello", 0),
}


@pytest.mark.parametrize("case", TRUNCATED)
async def test_a_truncated_response_does_not_look_complete(case: str) -> None:
    answer, minor = TRUNCATED[case]

    async def break_off(wire: Wire) -> None:
        await wire.message()
        await wire.send(answer)

    async with mesh(break_off) as world:
        wire = await world.dial()
        await wire.send(get().replace(b"HTTP/1.1", b"HTTP/1.%d" % minor))
        head = await wire.until(b"\r\n\r\n")
        rest = await wire.rest()
        if b"Content-Length: 10" in head:
            assert len(rest) < 10
        elif b"chunked" in head:
            assert not rest.endswith(b"0\r\n\r\n")
        else:
            assert rest.endswith(b"<reset>")


ANSWERS_REFUSED = {
    "a length with a plus sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a length beside chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a status in superscript": "HTTP/1.1 20\u00b2 OK\r\nContent-Length: 2\r\n\r\nok".encode("latin-1"),
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
}


@pytest.mark.parametrize("case", ANSWERS_REFUSED)
async def test_malformed_answers_are_502(case: str) -> None:
    async with mesh(answering(ANSWERS_REFUSED[case])) as world:
        said = await asyncio.wait_for(world.ask(get()), 8)
        assert said.startswith(b"HTTP/1.1 502 ")
        assert b"error=http_protocol_error" in said
