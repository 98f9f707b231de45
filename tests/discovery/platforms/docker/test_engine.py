from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from discovery.platforms.docker import engine as module
from discovery.platforms.docker.condition import Event
from discovery.platforms.docker.engine import Connection, EngineError, NotThere, Unreachable
from tests.discovery.platforms.docker.facts import ID
from tests.discovery.platforms.docker.fake import fake_engine


async def test_what_is_asked(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake:
        fake.put()
        fake.put("ended", Running=False)
        connection = Connection(fake.host)
        try:
            assert await connection.now() == "1767261600.123456"
            assert await connection.networks() == {"bridge": "bridge"}
            assert await connection.containers() == {ID: {"weft.dev/service": "shop/web"}}
            assert (await connection.inspect(ID))["Id"] == ID
            with pytest.raises(NotThere, match="No such container"):
                await connection.inspect("other")
        finally:
            await connection.close()


async def test_events(tmp_path: Path) -> None:
    heard: list[Event] = []
    async with fake_engine(tmp_path) as fake:
        fake.put()
        connection = Connection(fake.host)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(connection.follow("0", heard.append))
            while not fake.listeners:
                await asyncio.sleep(0.001)
            fake.tell("kill", signal="15")
            attributes = {"container": ID, "name": "bridge", "type": "bridge"}
            fake.send({"Type": "network", "Action": "disconnect", "Actor": {"ID": "b", "Attributes": attributes}})
            fake.send({"Type": "network", "Action": "create", "Actor": {"ID": "b", "Attributes": {}}})
            fake.send(None)
        await connection.close()
    labels = {"weft.dev/service": "shop/web"}
    assert heard == [
        Event("container", "kill", ID, {**labels, "signal": "15"}, 1_767_261_601_000_000_001),
        Event("network", "disconnect", ID, attributes),
    ]


async def test_nobody_there(tmp_path: Path) -> None:
    connection = Connection(f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineError, match=r"none\.sock"):
        await connection.networks()
    with pytest.raises(EngineError):
        await connection.follow("0", print)
    await connection.close()


async def test_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    async with fake_engine(tmp_path) as fake:
        fake.answers.clear()
        connection = Connection(fake.host)
        with pytest.raises(EngineError, match=r"no answer within 0\.05 s"):
            await connection.networks()
        await connection.close()


async def test_no_address() -> None:
    with pytest.raises(EngineError, match="no address of an engine"):
        Connection("docker.sock")


async def test_a_socket_that_is_not_there_or_not_for_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    connection = Connection(f"unix://{tmp_path}/none")
    try:
        with pytest.raises(Unreachable, match="there is no socket"):
            await connection.now()
        monkeypatch.setattr(asyncio.get_running_loop(), "create_unix_connection", refused, raising=False)
        with pytest.raises(Unreachable, match="this user may not use the socket"):
            await connection.now()
    finally:
        await connection.close()
