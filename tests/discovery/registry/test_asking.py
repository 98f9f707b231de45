"""Questions by UDP whose answers go to a callback, one at a time."""

from __future__ import annotations

import asyncio
import socket

import pytest

from discovery.registry.asking import Asking, Outcome
from discovery.registry.resolv_conf import Resolver
from tests.discovery.registry.servers import upstream
from tests.discovery.registry.test_authority import until


@pytest.mark.parametrize("stays", [True, False])
async def test_each_question_has_its_own_answer(stays: bool) -> None:
    come: list[Outcome] = []
    asked: list[int] = []
    async with upstream(lambda query, tcp: [b"\xff\xff not this", query + b" yes"]) as where:
        asking = Asking(5.0, stays=stays)
        for number in range(3):
            asking.ask(where.address, bytes((0, number)), come.append)
            await until(lambda: len(come) > len(asked))
            asked.append(number)
        asking.close()
    assert come == [bytes((0, number)) + b" yes" for number in range(3)]


async def test_the_last_question_counts() -> None:
    asked: list[bytes] = []
    come: list[Outcome] = []

    def say(query: bytes, tcp: bool) -> list[bytes]:
        asked.append(query)
        return [b"\0\1 late", query] if len(asked) == 2 else []

    async with upstream(say) as where:
        asking = Asking(5.0, stays=True)
        asking.ask(where.address, b"\0\1", come.append)
        asking.ask(where.address, b"\0\2", come.append)
        await until(lambda: bool(come))
        asking.ask(where.address, b"\0\3", come.append)
        asking.forget()
        asking.close()
        asking.close()
    assert come == [b"\0\2"]


@pytest.mark.both_loops
@pytest.mark.parametrize("stays", [True, False])
async def test_it_hears_who_listens_again(stays: bool) -> None:
    """A loop may watch a socket no more that had an error."""
    come: list[Outcome] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        where = Resolver(*gone.getsockname())
    asking = Asking(5.0, stays=stays)
    asking.ask(where, b"\0\1", come.append)
    await until(lambda: bool(come))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.settimeout(5.0)
        listener.bind(where)
        asking.ask(where, b"\0\2", come.append)
        query, client = listener.recvfrom(512)
        listener.sendto(query + b" yes", client)
        await until(lambda: len(come) > 1)
    asking.close()
    assert isinstance(come[0], ConnectionRefusedError)
    assert come[1] == b"\0\2 yes"


async def test_no_socket_stays_that_cannot_send() -> None:
    come: list[Outcome] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        where = Resolver(*gone.getsockname())
    asking = Asking(5.0, stays=True)
    asking.ask(where, b"\0\1", come.append)
    with pytest.raises(ConnectionRefusedError):  # that of the question before, which no turn of the loop has read
        asking.ask(where, b"\0\2", come.append)
    assert asking._socket is None
    asking.close()
    assert come == []


async def test_it_says_why_there_is_no_answer() -> None:
    come: list[Outcome] = []
    async with upstream(lambda query, tcp: []) as where:
        asking = Asking(0.01, stays=True)
        asking.ask(where.address, b"\0\1", come.append)
        await until(lambda: len(come) == 1)
        gone = where.address
    with pytest.raises(OSError, match=r"."):
        asking.ask(Resolver("256.0.0.1", 53), b"\0\1", come.append)
    asking.ask(gone, b"\0\1", come.append)
    await until(lambda: len(come) == 2)
    asking.close()
    await asyncio.sleep(0)
    assert isinstance(come[0], TimeoutError)
    assert isinstance(come[1], ConnectionRefusedError | TimeoutError)
