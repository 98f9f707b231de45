"""What the end of an exchange says of its endpoint."""

from __future__ import annotations

import pytest

from mesh import reasons
from mesh.backend import NO_ANSWER_DUE, NOT_ANSWERED
from mesh.exchange import Exchange
from tests.mesh.dialogue import GET, OK, answering, mesh


@pytest.mark.parametrize(
    ("reason", "status", "said"),
    [
        ("", 200, 200),
        ("", 503, 503),
        ("", 101, NO_ANSWER_DUE),
        (reasons.RESPONSE_TIMEOUT.error, 504, NOT_ANSWERED),
        (reasons.RESPONSE_INCOMPLETE.error, 200, NOT_ANSWERED),
        (reasons.RESPONSE_MALFORMED.error, 502, NOT_ANSWERED),
        (reasons.CLIENT_GONE.error, 499, NO_ANSWER_DUE),
        (reasons.BODY_STALLED.error, 408, NO_ANSWER_DUE),
        (reasons.RESPONSE_STALLED.error, 200, NO_ANSWER_DUE),
        (reasons.NO_ROOM.error, 503, NO_ANSWER_DUE),
    ],
)
async def test_who_is_to_blame(reason: str, status: int, said: int) -> None:
    async with mesh(answering(OK)) as world:
        assert await world.ask(GET) == OK
        exchange = Exchange(world.proxy, world.clients[0])
        exchange._reason = reason
        assert exchange._outcome(status) == said


async def test_a_new_exchange_is_fresh_until_its_first_request() -> None:
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await world.wait(lambda: bool(world.clients))
        exchange = world.clients[0]._exchange
        assert exchange.fresh
        await wire.send(GET)
        await wire.exactly(len(OK))
        assert not exchange.fresh
