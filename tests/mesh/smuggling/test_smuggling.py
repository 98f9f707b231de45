"""All messages of the tables through a real proxy, each followed by another client's request, which must be unharmed.

What is accepted reaches the endpoint as exactly the requests that the table says, framed in one way; what is refused
never reaches it and ends the connection.  A client is told exactly one response, or can see that it broke off.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import pytest

from tests.mesh.dialogue import Mesh, mesh
from tests.mesh.smuggling import request_chunks, request_framing, request_heads
from tests.mesh.smuggling.judge import Judge, replies, send_in_pieces
from tests.mesh.smuggling.making import CHUNKED, Response, Seen, Told, post
from tests.mesh.smuggling.responses import RESPONSES

Message = TypeVar("Message")

HEAD = post(CHUNKED)
ACCEPTED = {
    **request_framing.ACCEPTED,
    **request_heads.ACCEPTED,
    **{f"chunks: {name}": (HEAD + body, seen) for name, (body, seen) in request_chunks.ACCEPTED.items()},
}
REFUSED: dict[str, tuple[bytes, list[Seen], int]] = {
    **{name: (data, [], status) for name, (data, status) in request_framing.REFUSED.items()},
    **{name: (data, [], status) for name, (data, status) in request_heads.REFUSED.items()},
    **{f"chunks: {name}": (HEAD + body, [], 400) for name, body in request_chunks.REFUSED.items()},
    **request_heads.THEN_REFUSED,
}
CANARY = b"GET /canary HTTP/1.1\r\nHost: a\r\n\r\n"
ITS_ANSWER = [Told(200, b"/canary")]


async def with_all(
    messages: Mapping[str, Message], say: Callable[[Mesh, Judge, Message], Awaitable[str]]
) -> dict[str, str]:
    """What went wrong with which messages, all sent one after the other through one proxy to one endpoint."""
    wrong = {}
    judge = Judge()
    async with mesh(judge) as world:
        for name, message in messages.items():
            judge.forget()
            try:
                said = await say(world, judge, message)
            except TimeoutError:
                said = "the connection stayed open"
            before, judge.seen = judge.seen, []
            canary = list(replies(await world.ask(CANARY)))
            if canary != ITS_ANSWER or judge.seen != [Seen(b"/canary")]:
                said += f" another client was told {canary}, the endpoint saw {judge.seen} after {before}"
            if judge.errors:
                said += f" {judge.errors}"
            if said:
                wrong[name] = said
    return wrong


def test_the_corpus_is_large_in_both_directions() -> None:
    assert len(ACCEPTED) + len(REFUSED) >= 200
    assert len(RESPONSES) >= 200


@pytest.mark.parametrize("pieces", [1, 7])
async def test_requests_that_are_accepted(pieces: int) -> None:
    async def say(world: Mesh, judge: Judge, message: tuple[bytes, list[Seen]]) -> str:
        data, expected = message
        wire = await world.dial()
        await send_in_pieces(wire, data, pieces)
        wire.writer.write_eof()
        told = list(replies(await wire.rest(), heads_only=data.startswith(b"HEAD ")))
        answers = [Told(200, b"" if data.startswith(b"HEAD ") else seen.target) for seen in expected]
        return "" if (judge.seen, told) == (expected, answers) else f"the endpoint saw {judge.seen}, told was {told}"

    assert not await with_all(ACCEPTED, say)


@pytest.mark.parametrize("pieces", [1, 7])
async def test_requests_that_are_refused(pieces: int) -> None:
    async def say(world: Mesh, judge: Judge, message: tuple[bytes, list[Seen], int]) -> str:
        data, expected, status = message
        wire = await world.dial()
        await send_in_pieces(wire, data, pieces)
        *before, last = [told.status for told in replies(await wire.rest())] or [0]
        if (judge.seen, before, last) != (expected, [200] * len(expected), status):
            return f"the endpoint saw {judge.seen}, told was {before} and {last}"
        reached = judge.raw and not expected and not data.startswith(HEAD)
        return f"the endpoint was sent {judge.raw!r}" if reached else ""

    assert not await with_all(REFUSED, say)


async def test_bodies_that_are_refused_never_become_whole() -> None:
    """The head was sent on before the body turned out to be malformed."""

    async def say(world: Mesh, judge: Judge, body: bytes) -> str:
        wire = await world.dial()
        await wire.send(HEAD)
        await world.wait(lambda: judge.raw.endswith(b"\r\n\r\n"))
        await wire.send(body)
        told = [told.status for told in replies(await wire.rest())]
        return "" if (judge.seen, told) == ([], [400]) else f"the endpoint saw {judge.seen}, told was {told}"

    assert not await with_all(request_chunks.REFUSED, say)


async def test_responses() -> None:
    async def say(world: Mesh, judge: Judge, response: Response) -> str:
        judge.response = response
        expected = response.told
        sent = await world.ask(response.request)
        told = list(replies(sent, heads_only=response.request.startswith(b"HEAD ")))
        if b"hidden" in sent and b"hidden" not in expected.body:
            return f"told was what is not its own: {sent!r}"
        if expected.status == 502 or not expected.whole:
            told = [each._replace(body=b"") for each in told]
        return "" if told == [expected] else f"told was {told}, not {expected}"

    assert not await with_all(RESPONSES, say)


async def test_empty_lines_before_a_request_cost_little() -> None:
    """They are skipped (RFC 9112, 2.2), a whole read of them at once."""
    async with mesh(Judge()) as world:
        wire = await world.dial()
        began = time.process_time()
        for _ in range(4):
            await wire.send(b"\r\n" * 131_072)
        await wire.send(CANARY)
        assert (await wire.message())[1] == b"/canary"
        assert time.process_time() - began < 0.25
