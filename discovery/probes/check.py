"""An active check, carried out once: what the policy of a Service asks of an endpoint.

Other than a probe of a container it does not follow redirects, and says itself which status is a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from config.balancing import HealthCheckPolicy
from config.resources.workloads import HTTPHeader
from discovery.health import Finding, Outcome
from discovery.probes import grpc, http, tcp
from discovery.probes.conversation import Manner, converse
from discovery.probes.response import ResponseReader

OURSELVES: Final[Mapping[str | None, bytes]] = {
    None: b"",
    "v1": b"PROXY UNKNOWN\r\n",
    "v2": b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
}
"""By version of the PROXY protocol: the header of a proxy that speaks for itself."""


async def ask(policy: HealthCheckPolicy, host: str, port: int, send_proxy: str | None = None) -> Finding:
    """`send_proxy` is the version of the PROXY protocol that connections there begin with.

    Raises OSError or ValueError.  The caller bounds the time.
    """
    preface = OURSELVES[send_proxy]
    if policy.type == "tcp":
        return await tcp.accepts(host, port, preface)
    if policy.type == "grpc":
        return await grpc.check(host, port, policy.service, preface)
    tls = http.unverified() if policy.scheme == "https" else None
    manner = Manner(tls, urlsplit(f"//{policy.host}").hostname or "", preface)
    response = await converse(ResponseReader(_request(policy, host, port)), host, port, manner)
    if response.fault:
        return Finding(Outcome.FAILURE, response.fault)
    if response.status in expected(policy.expected_status):
        return Finding(Outcome.SUCCESS)
    return Finding(Outcome.FAILURE, f"HTTP {response.status}")


@lru_cache(maxsize=4096)
def _request(policy: HealthCheckPolicy, host: str, port: int) -> bytes:
    headers = (HTTPHeader("Host", policy.host),) if policy.host else ()
    return http.Request(policy.scheme, host, port, policy.path, headers).encoded()


@lru_cache(maxsize=256)
def expected(written: tuple[int | str, ...]) -> frozenset[int]:
    """The codes that ``[200, 301-308]`` stands for; raises ValueError for what is no code."""
    found: set[int] = set()
    for text in map(str, written):
        first, _, last = text.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
