"""Carry a probe out once and say what it found: the one seam where errors of sockets become findings."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

from config.balancing import HealthCheckPolicy
from config.resources.workloads import Probe
from discovery.health import Finding, Outcome
from discovery.probes import exec as exec_action
from discovery.probes import grpc, http, tcp
from discovery.probes.check import ask
from discovery.probes.target import ProbeTarget

ACCEPT_TIMEOUT = 1.0
"""Seconds that one port has to accept, for a container without a readiness probe."""

EXEC_GRACE = 1.0
"""Seconds that `execute` may take longer than the timeout it was given, to end what it started."""

STALLED = 0.25
"""Seconds past its time after which a timeout says more about this process than about the container: the loop
stood still, and the answer may be there unread."""

REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "connection timed out",
}
OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL, errno.EAGAIN})
"""Faults of this machine, which say nothing about the container."""


async def perform(probe: Probe, target: ProbeTarget) -> Finding:
    """Run `probe` once within its timeout; never raises for what the container or the network does."""
    return await _judged(_action(probe, target), float(probe.timeout_seconds), EXEC_GRACE if probe.exec else 0.0)


async def accepts_all(target: ProbeTarget) -> Finding:
    """Whether all of the target's `accept_ports` accept TCP; the first that does not is named."""
    for port in target.accept_ports:
        finding = await _judged(_accepts(target, port), ACCEPT_TIMEOUT)
        if finding.outcome is not Outcome.SUCCESS:
            return Finding(finding.outcome, f"port {port}: {finding.reason}")
    return Finding(Outcome.SUCCESS)


async def check(policy: HealthCheckPolicy, target: ProbeTarget) -> Finding:
    """Carry the active check of an endpoint out once."""
    asking = ask(policy, target.address, policy.port or target.accept_ports[0], target.send_proxy)
    return await _judged(asking, policy.timeout)


async def _action(probe: Probe, target: ProbeTarget) -> Finding:
    if probe.http_get:
        port = target.port(probe.http_get.port)
        with _remedied(target, "", port):
            return await http.get(probe.http_get, target.address, port)
    if probe.tcp_socket:
        port = target.port(probe.tcp_socket.port)
        with _remedied(target, probe.tcp_socket.host, port):
            return await tcp.accepts(probe.tcp_socket.host or target.address, port)
    if probe.grpc:
        port = target.port(probe.grpc.port)
        with _remedied(target, "", port):
            return await grpc.check(target.address, port, probe.grpc.service)
    command = probe.exec.command if probe.exec else ()
    return await exec_action.run(target.execute, command, float(probe.timeout_seconds))


async def _accepts(target: ProbeTarget, port: int) -> Finding:
    with _remedied(target, "", port):
        return await tcp.accepts(target.address, port)


@contextmanager
def _remedied(target: ProbeTarget, host: str, port: int) -> Iterator[None]:
    """Say of a refusal what helps; `host`: another than the target's own, of which nothing is known."""
    try:
        yield
    except ConnectionRefusedError:
        if host or not target.remedy:
            raise
        raise ConnectionRefusedError(f"nothing accepts at {target.address}:{port}: {target.remedy}") from None


async def _judged(action: Awaitable[Finding], seconds: float, grace: float = 0.0) -> Finding:
    loop = asyncio.get_running_loop()
    late = loop.time() + seconds + grace + STALLED
    try:
        async with asyncio.timeout(seconds + grace):
            return await action
    except TimeoutError as error:
        if error.errno is not None:
            return _explained(error)
        if loop.time() > late:
            return Finding(Outcome.UNKNOWN, "this process stood still during the probe")
        return Finding(Outcome.FAILURE, f"timeout after {seconds:g} s")
    except (LookupError, ValueError) as error:
        return Finding(Outcome.UNKNOWN, str(error))
    except OSError as error:
        return _explained(error)


def _explained(error: OSError) -> Finding:
    if isinstance(error, ssl.SSLError):
        return Finding(Outcome.FAILURE, f"TLS: {(error.reason or 'handshake failed').replace('_', ' ').lower()}")
    if isinstance(error, socket.gaierror):
        return Finding(Outcome.FAILURE, "host name cannot be resolved")
    code = error.errno or 0
    reason = REASONS.get(code) or (os.strerror(code).lower() if code else str(error) or type(error).__name__)
    return Finding(Outcome.UNKNOWN if code in OURS else Outcome.FAILURE, reason)
