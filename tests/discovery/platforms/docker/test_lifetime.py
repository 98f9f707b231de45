from __future__ import annotations

from pathlib import Path

import pytest

from discovery.platforms.docker.engine import Connection, EngineError, NotThere
from discovery.platforms.docker.lifetime import end_of, make, remove, run_of
from tests.discovery.platforms.docker.facts import ID
from tests.discovery.platforms.docker.fake import fake_engine

BODY = {"Image": "shop:1", "Labels": {}}


async def test_a_life(tmp_path: Path) -> None:
    said: list[str] = []
    async with fake_engine(tmp_path) as fake:
        engine = Connection(fake.host)
        try:
            fake.put(Running=False)
            made = await make(engine, "web", BODY, ID, said.append)
            assert list(fake.containers) == [made]
            assert await run_of(engine, made)
            assert await end_of(engine, made) == ("", "")
            fake.written = "no more"
            fake.exit(made, 7)
            assert not await run_of(engine, made)
            assert await end_of(engine, made) == ("exit code 7", "no more")
            await remove(engine, "web", 1)
            await remove(engine, "web", 1)
            assert fake.containers == {}
            assert not await run_of(engine, made)
            with pytest.raises(NotThere):
                await end_of(engine, made)
            assert said == []
        finally:
            await engine.close()


async def test_an_image_is_pulled_where_it_is_not_there(tmp_path: Path) -> None:
    said: list[str] = []
    async with fake_engine(tmp_path) as fake:
        engine = Connection(fake.host)
        try:
            with pytest.raises(EngineError, match="ErrImagePull: absent:1: denied"):
                await make(engine, "web", {**BODY, "Image": "absent:1"}, "", said.append)
            assert said == ["image absent:1 is being pulled"]
        finally:
            await engine.close()


async def test_nobody_says_how_it_ended_while_the_engine_is_gone(tmp_path: Path) -> None:
    engine = Connection(f"unix://{tmp_path}/none")
    try:
        assert await end_of(engine, ID) == ("", "")
        with pytest.raises(EngineError):
            await run_of(engine, ID)
    finally:
        await engine.close()
