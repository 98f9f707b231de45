"""``weft apply``: against an admin server that keeps manifests."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.admin import AdminServer
from sidecar.bearer import new_token
from sidecar.channel.administration import Administration
from sidecar.channel.keeping import Keeping
from sidecar.channel.nodes import Nodes
from sidecar.cli import main
from tests.scenarios.manifests import service
from tests.scenarios.weft import ask
from tests.sidecar.channel.test_keeping import BAD, WEB_KEY, keeping

PATH = "/api/v1/manifests"


@asynccontextmanager
async def registry(state: Path) -> AsyncIterator[tuple[Keeping, list[str]]]:
    """What it stores, and the options that name it."""
    state.mkdir()
    async with keeping(state) as there:
        said = Administration(there, Nodes(list, lambda: 0.0), lambda: 1, there._shelf)
        server = AdminServer(
            {PATH: said.stored}, list, writes={PATH: said.write}, token=new_token(state)
        )  # fmt: skip
        sock = socket.create_server(("127.0.0.1", 0))
        await server.start(sock)
        address = "{}:{}".format(*sock.getsockname())
        try:
            yield there, ["--state", str(state), "--admin", address]
        finally:
            await server.close()


async def weft(*words: str) -> int:
    return await asyncio.to_thread(main, list(words))


async def test_files_are_applied_and_objects_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "web.json"
    file.write_text(json.dumps(service("web")))
    async with registry(tmp_path / "state") as (there, options):
        assert await weft("apply", "-f", str(file), "--dry-run", *options) == 0
        assert "Service/default/web created (dry run)" in capsys.readouterr().out
        assert not there.stored
        assert await weft("apply", "-f", str(file), *options) == 0
        assert "Service/default/web created" in capsys.readouterr().out
        assert there.stored[WEB_KEY].source == f"{file}:1:1"
        assert await weft("apply", "-f", str(tmp_path), "--json", *options) == 0
        assert json.loads(capsys.readouterr().out)["changes"][0]["what"] == "unchanged"
        assert await weft("delete", "-f", str(file), *options) == 0
        assert "Service/default/web deleted" in capsys.readouterr().out
        assert not there.stored
        assert await weft("delete", "svc", "web", *options) == 1
        assert "Service/default/web not stored" in capsys.readouterr().err


async def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD[1])
    async with registry(tmp_path / "state") as (there, options):
        assert await weft("apply", "-f", str(file), *options) == 1
        error = capsys.readouterr().err
        assert f"{file}:5:" in error
        assert "nothing was changed" in error
        assert await weft("apply", "-f", str(tmp_path / "absent"), *options) == 1
        assert "no such file" in capsys.readouterr().err
        assert not there.stored


async def test_without_the_token_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "web.json"
    file.write_text(json.dumps(service("web")))
    async with registry(tmp_path / "state") as (there, options):
        assert await weft("apply", "-f", str(file), "--state", str(tmp_path / "other"), *options[2:]) == 1
        assert "cannot be read" in capsys.readouterr().err
        new_token(tmp_path / "state")
        assert await weft("apply", "-f", str(file), *options) == 1
        assert "needs the token" in capsys.readouterr().err
        assert not there.stored


async def test_a_weft_that_stores_nothing_is_told_from_a_registry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, sock = AdminServer({"/api/v1/config": dict}, list), socket.create_server(("127.0.0.1", 0))
    address = "{}:{}".format(*sock.getsockname())
    await server.start(sock)
    try:
        assert await weft("delete", "svc", "web", "--admin", address) == 1
    finally:
        await server.close()
    assert capsys.readouterr().err == (
        f"weft: the weft at {address} stores no manifests: --admin names one with --peers\n"
    )


async def test_a_page_of_another_origin_and_another_host_are_refused(tmp_path: Path) -> None:
    async with registry(tmp_path / "state") as (there, options):
        token = (tmp_path / "state" / "token").read_text().strip()
        for fields, status in (
            ({"Authorization": f"Bearer {token}", "Origin": "http://evil.example"}, 403),
            ({"Authorization": f"Bearer {token}", "Host": "evil.example"}, 421),
            ({}, 403),
        ):
            answer = await asyncio.to_thread(ask, options[3], PATH, "POST", **fields)
            assert answer.status == status
        put = await asyncio.to_thread(ask, options[3], PATH, "PUT", Authorization=f"Bearer {token}")
        assert put.status == 405
        listed = await asyncio.to_thread(ask, options[3], PATH)
        assert listed.json["manifests"] == []
        assert not there.stored
