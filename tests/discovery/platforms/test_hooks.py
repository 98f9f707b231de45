"""Hooks: each action, within its time, and what is said when one fails."""

from __future__ import annotations

import asyncio

import pytest

from config.resources.workloads import ExecAction, HTTPGetAction, LifecycleHandler, SleepAction
from discovery.platforms import hooks
from discovery.probes.target import ProbeTarget


async def execute(argv: tuple[str, ...], timeout: float) -> int:
    if argv == ("sleep",):
        await asyncio.sleep(60)
    return len(argv) - 1


TARGET = ProbeTarget("web-1", "main", "127.0.0.1", execute=execute)
CASES = {
    "a command": (LifecycleHandler(exec=ExecAction(("bye",))), ""),
    "a command that fails": (LifecycleHandler(exec=ExecAction(("bye", "now"))), "exit code 1"),
    "a command that takes too long": (LifecycleHandler(exec=ExecAction(("sleep",))), "not done within 0.2 s"),
    "a pause": (LifecycleHandler(sleep=SleepAction(0)), ""),
    "a pause that is too long": (LifecycleHandler(sleep=SleepAction(60)), "not done within 0.2 s"),
    "no such port": (LifecycleHandler(http_get=HTTPGetAction("admin")), "no containerPort is named admin"),
}


@pytest.mark.parametrize("case", CASES)
async def test_hooks(case: str) -> None:
    hook, expected = CASES[case]
    why = await hooks.run(hook, TARGET, 0.2)
    assert (expected in why) if expected else not why


PATIENCE = {
    "a command": (LifecycleHandler(exec=ExecAction(("hello",))), 600),
    "a request": (LifecycleHandler(http_get=HTTPGetAction(80)), 600),
    "a pause": (LifecycleHandler(sleep=SleepAction(5)), 600),
    "a pause that is longer": (LifecycleHandler(sleep=SleepAction(900)), 901),
}


@pytest.mark.parametrize(("hook", "seconds"), PATIENCE.values(), ids=PATIENCE)
def test_how_long_a_start_may_take(hook: LifecycleHandler, seconds: float) -> None:
    assert hooks.patience(hook) == seconds


@pytest.mark.parametrize("status", [204, 500])
async def test_a_request(status: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: 0\r\n\r\n" % status)
        writer.close()

    asked: list[bytes] = []
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        why = await hooks.run(LifecycleHandler(http_get=HTTPGetAction(port, "/quit")), TARGET, 5)
    assert asked[0].startswith(b"GET /quit ")
    assert why == ("" if status == 204 else "HTTP 500")
