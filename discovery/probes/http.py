"""httpGet: a status from 200 to 399 is a success (core/v1 HTTPGetAction, as the kubelet carries it out).

Redirects to the same host are followed, at most ten; one that leads to another host is not followed and
counts as a success with a warning.  Certificates are not verified.  What the answer's bytes mean is
`discovery.probes.response`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from config.resources.workloads import HTTPGetAction, HTTPHeader
from discovery.health import Finding, Outcome
from discovery.probes.conversation import PLAIN, Manner, converse
from discovery.probes.response import Response, ResponseReader

USER_AGENT = "kube-probe/weft"
REDIRECTS = 10
FOLLOWED = frozenset({301, 302, 303, 307, 308})
USUAL_PORTS = {"http": 80, "https": 443}
DEFAULTS = (HTTPHeader("User-Agent", USER_AGENT), HTTPHeader("Accept", "*/*"))
OURS = frozenset({"host", "connection"})


class Request(NamedTuple):
    """One GET: where to, and what is asked."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, beginning with a slash."""
    headers: tuple[HTTPHeader, ...] = ()

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == USUAL_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def encoded(self) -> bytes:
        """As sent; raises ValueError for a header that would break out of its line."""
        lines = [f"GET {self.target} HTTP/1.1", f"Host: {self._host()}", "Connection: close", *self._lines()]
        if any(set(line) & set("\r\n\0") for line in lines):
            raise ValueError("a header of the probe holds a line break")
        return "\r\n".join([*lines, "", ""]).encode()

    def _host(self) -> str:
        given = [header.value for header in self.headers if header.name.lower() == "host" and header.value]
        return given[-1] if given else self.authority

    def _lines(self) -> Iterator[str]:
        given = {header.name.lower() for header in self.headers}
        replaceable = {header.name.lower() for header in DEFAULTS}
        for header in (*(h for h in DEFAULTS if h.name.lower() not in given), *self.headers):
            name = header.name.lower()
            # An empty value is how a default field is left out.
            if name not in OURS and (header.value or name not in replaceable):
                yield f"{header.name}: {header.value}"


def request(action: HTTPGetAction, host: str, port: int) -> Request:
    """The first request of a probe that reaches its container at `host` and `port`."""
    path = action.path.split("#", 1)[0]
    target = _quoted(path if path.startswith("/") else f"/{path}")
    return Request(action.scheme.lower(), action.host or host, port, target, action.http_headers)


def redirected(first: Request, current: Request, location: str) -> Request | None:
    """The request that `location` asks for; None: it leads to another host than the `first`.

    Raises ValueError for a location that is no http or https URL.
    """
    url = urlsplit(urljoin(current.url, location))
    if (url.hostname or "") != first.host.lower():
        return None
    if url.scheme not in USUAL_PORTS:
        raise ValueError(f"redirect to a {url.scheme} URL")
    headers = current.headers
    if urlsplit(location).scheme:
        headers = tuple(header for header in headers if header.name.lower() != "host")
    target = _quoted((url.path or "/") + (f"?{url.query}" if url.query else ""))
    return Request(url.scheme, first.host, url.port or USUAL_PORTS[url.scheme], target, headers)


def _quoted(target: str) -> str:
    """Path and query without what may not stand in a request line."""
    return quote(target, safe="/:?[]@!$&'()*+,;=%~")


@cache
def unverified() -> ssl.SSLContext:
    """TLS that believes any certificate: a probe asks whether the container answers, not who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=4096)
def prepared(action: HTTPGetAction, host: str, port: int) -> tuple[Request, bytes]:
    """The first request and its bytes, which are the same at every run."""
    first = request(action, host, port)
    return first, first.encoded()


async def get(action: HTTPGetAction, host: str, port: int) -> Finding:
    """Ask, follow redirects, judge; raises OSError or ValueError.  The caller bounds the time."""
    first, wire = prepared(action, host, port)
    current = first
    for _ in range(REDIRECTS + 1):
        manner = Manner(unverified()) if current.scheme == "https" else PLAIN
        response = await converse(ResponseReader(wire), current.host, current.port, manner)
        if response.status not in FOLLOWED or not response.location:
            return judge(response)
        try:
            following = redirected(first, current, response.location)
        except ValueError as error:
            return Finding(Outcome.FAILURE, f"redirect to nowhere: {error}")
        if following is None:
            return Finding(Outcome.SUCCESS, f"redirect to another host is not followed: {response.location[:200]}")
        current, wire = following, following.encoded()
    return Finding(Outcome.FAILURE, f"stopped after {REDIRECTS} redirects")


def judge(response: Response) -> Finding:
    if response.fault:
        return Finding(Outcome.FAILURE, response.fault)
    if 200 <= response.status < 400:
        return Finding(Outcome.SUCCESS)
    return Finding(Outcome.FAILURE, f"HTTP {response.status}")
