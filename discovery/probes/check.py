"""An active check, carried out once: what the policy of a Service asks of an endpoint.

Other than a probe of a container it does not follow redirects, and says itself which status is a success.
"""

from __future__ import annotations

from functools import lru_cache

from config.balancing import HealthCheckPolicy
from config.resources.workloads import HTTPHeader
from discovery.health import Finding, Outcome
from discovery.probes import grpc, tcp
from discovery.probes.conversation import converse
from discovery.probes.http import Request
from discovery.probes.response import ResponseReader


async def ask(policy: HealthCheckPolicy, host: str, port: int) -> Finding:
    """Raises OSError or ValueError.  The caller bounds the time."""
    if policy.type == "tcp":
        return await tcp.accepts(host, port)
    if policy.type == "grpc":
        return await grpc.check(host, port, policy.service)
    response = await converse(ResponseReader(_request(policy, host, port)), host, port, None)
    if response.fault:
        return Finding(Outcome.FAILURE, response.fault)
    if response.status in expected(policy.expected_status):
        return Finding(Outcome.SUCCESS)
    return Finding(Outcome.FAILURE, f"HTTP {response.status}")


@lru_cache(maxsize=4096)
def _request(policy: HealthCheckPolicy, host: str, port: int) -> bytes:
    headers = (HTTPHeader("Host", policy.host),) if policy.host else ()
    return Request("http", host, port, policy.path, headers).encoded()


@lru_cache(maxsize=256)
def expected(written: tuple[int | str, ...]) -> frozenset[int]:
    """The codes that ``[200, 301-308]`` stands for; raises ValueError for what is no code."""
    found: set[int] = set()
    for text in map(str, written):
        first, _, last = text.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
