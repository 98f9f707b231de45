"""Whatever the network does becomes a finding with a reason that a person understands."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from config.resources.workloads import ExecAction, GRPCAction, HTTPGetAction, Probe, TCPSocketAction
from discovery.health import Finding, Outcome
from discovery.probes import action
from discovery.probes.action import accepts_all, perform
from discovery.probes.target import ProbeTarget
from tests.discovery.probes.servers import answering, refused_port, serving, silent

GOOD = Finding(Outcome.SUCCESS)
SHORT: Any = 0.2
"""Seconds; manifests have whole ones, but tests need not wait that long."""
ACTIONS: dict[str, Callable[[int | str], Probe]] = {
    "httpGet": lambda port: Probe(timeout_seconds=SHORT, http_get=HTTPGetAction(port=port)),
    "https": lambda port: Probe(timeout_seconds=SHORT, http_get=HTTPGetAction(port=port, scheme="HTTPS")),
    "tcpSocket": lambda port: Probe(timeout_seconds=SHORT, tcp_socket=TCPSocketAction(port=port)),
    "grpc": lambda port: Probe(timeout_seconds=SHORT, grpc=GRPCAction(port=int(port))),
}


def target(**ports: int) -> ProbeTarget:
    return ProbeTarget("a-1", "web", "127.0.0.1", ports=dict(ports))


def failure(reason: str) -> Finding:
    return Finding(Outcome.FAILURE, reason)


@pytest.mark.parametrize("kind", ACTIONS)
@pytest.mark.both_loops
async def test_refused(kind: str) -> None:
    assert await perform(ACTIONS[kind](refused_port()), target()) == failure("connection refused")


@pytest.mark.parametrize("kind", ["httpGet", "https", "grpc"])
async def test_a_server_that_says_nothing(kind: str) -> None:
    async with serving(silent) as port:
        began = time.monotonic()
        assert await perform(ACTIONS[kind](port), target()) == failure("timeout after 0.2 s")
        assert 0.15 < time.monotonic() - began < 3


async def test_a_server_that_drips() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.05)

    async with serving(drip) as port:
        assert await perform(ACTIONS["httpGet"](port), target()) == failure("timeout after 0.2 s")


async def test_a_server_that_resets() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()  # the request is unread, so the kernel sends RST

    async with serving(reset) as port:
        finding = await perform(ACTIONS["httpGet"](port), target())
    assert finding in (failure("connection reset"), failure("connection closed without a response"))


async def test_plain_http_behind_https() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(plain) as port:
        finding = await perform(ACTIONS["https"](port), target())
    assert finding.outcome is Outcome.FAILURE
    assert finding.reason.startswith("TLS: ")


async def test_named_ports_are_the_replicas_own() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as port:
        assert await perform(ACTIONS["httpGet"]("http"), target(http=port)) == GOOD
        assert await perform(ACTIONS["tcpSocket"]("http"), target(http=port)) == GOOD


async def test_an_unknown_port_name_is_no_finding() -> None:
    expected = Finding(Outcome.UNKNOWN, "no containerPort is named http")
    assert await perform(ACTIONS["httpGet"]("http"), target()) == expected


async def test_another_host_can_be_asked() -> None:
    async with serving(silent) as port:
        probe = Probe(tcp_socket=TCPSocketAction(port=port, host="127.0.0.1"))
        assert await perform(probe, ProbeTarget("a", "c", "192.0.2.1")) == GOOD


@pytest.mark.parametrize(("seconds", "outcome"), [(0.25, Outcome.SUCCESS), (5, Outcome.FAILURE)])
async def test_exec_is_bounded_even_if_the_platform_does_not(
    seconds: float, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action, "EXEC_GRACE", 0.2)

    async def execute(argv: tuple[str, ...], timeout: float) -> int:
        await asyncio.sleep(seconds)
        return 0

    probe = Probe(timeout_seconds=SHORT, exec=ExecAction(command=("true",)))
    finding = await perform(probe, ProbeTarget("a", "c", "127.0.0.1", execute=execute))
    assert finding.outcome is outcome
    assert finding.reason == ("" if outcome is Outcome.SUCCESS else "timeout after 0.2 s")


async def test_a_timeout_that_this_process_caused_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action, "EXEC_GRACE", 0.1)

    async def execute(argv: tuple[str, ...], timeout: float) -> int:
        time.sleep(SHORT + action.EXEC_GRACE + 2 * action.STALLED)
        await asyncio.sleep(0.1)
        return 0

    probe = Probe(timeout_seconds=SHORT, exec=ExecAction(command=("true",)))
    finding = await perform(probe, ProbeTarget("a", "c", "127.0.0.1", execute=execute))
    assert finding == Finding(Outcome.UNKNOWN, "this process stood still during the probe")


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        (OSError(errno.EMFILE, "x"), Finding(Outcome.UNKNOWN, os.strerror(errno.EMFILE).lower())),
        (OSError(errno.EADDRNOTAVAIL, "x"), Finding(Outcome.UNKNOWN, os.strerror(errno.EADDRNOTAVAIL).lower())),
        (OSError(errno.EHOSTUNREACH, "x"), failure("no route to host")),
        (TimeoutError(errno.ETIMEDOUT, "x"), failure("connection timed out")),
        (socket.gaierror(socket.EAI_NONAME, "x"), failure("host name cannot be resolved")),
        (OSError("something odd"), failure("something odd")),
    ],
)
async def test_errors_of_sockets(error: OSError, finding: Finding, monkeypatch: pytest.MonkeyPatch) -> None:
    async def raising(host: str, port: int) -> Finding:
        raise error

    monkeypatch.setattr(action.tcp, "accepts", raising)
    assert await perform(ACTIONS["tcpSocket"](80), target()) == finding


@pytest.mark.parametrize("kind", ACTIONS)
async def test_a_refusal_says_what_helps(kind: str) -> None:
    port = refused_port()
    there = structs.replace(target(), remedy="listen on PORT")
    expected = failure(f"nothing accepts at 127.0.0.1:{port}: listen on PORT")
    assert await perform(ACTIONS[kind](port), there) == expected
    there = structs.replace(there, accept_ports=(port,))
    assert await accepts_all(there) == failure(f"port {port}: {expected.reason}")


async def test_of_another_host_nothing_is_known() -> None:
    probe = Probe(tcp_socket=TCPSocketAction(port=refused_port(), host="127.0.0.2"))
    there = structs.replace(target(), remedy="listen on PORT")
    assert await perform(probe, there) == failure("connection refused")


async def test_all_ports_must_accept() -> None:
    async with serving(silent) as one, serving(silent) as two:
        free = refused_port()
        assert await accepts_all(ProbeTarget("a", "c", "127.0.0.1", accept_ports=(one, two))) == GOOD
        expected = failure(f"port {free}: connection refused")
        assert await accepts_all(ProbeTarget("a", "c", "127.0.0.1", accept_ports=(one, free, two))) == expected
    assert await accepts_all(ProbeTarget("a", "c", "127.0.0.1")) == GOOD
