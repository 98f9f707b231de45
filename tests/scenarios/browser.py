"""A client that does as a page in a browser must: the CORS protocol (the Fetch standard, sections 3.2 and 4.8 to 4.11).

Whether a request needs a preflight, whether the answers let the page go on, which header fields it may see, and how
long a preflight's answer is kept; written from the standard, and knowing nothing of the server.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

SIMPLE_METHODS = frozenset({"GET", "HEAD", "POST"})
_SIMPLE_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
_SIMPLE_FIELDS = frozenset({"accept", "accept-language", "content-language", "content-type"})
_SHOWN = frozenset(
    {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"}
)
_NEVER_SHOWN = frozenset({"set-cookie", "set-cookie2"})
_UNSAFE_VALUE = re.compile(r'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]')
_DEFAULT_AGE = 5
_LONGEST_AGE = 7200


class Blocked(Exception):
    """A network error, which is all that the page is told."""


class Answer(NamedTuple):
    status: int
    fields: Mapping[str, str]
    """Those that the page may see, by names in lower case."""


class _Kept(NamedTuple):
    until: float
    methods: frozenset[str]
    fields: frozenset[str]


def is_simple(name: str, value: str) -> bool:
    """Whether the field is a CORS-safelisted request-header (section 2.2.2)."""
    if len(value) > 128 or name.lower() not in _SIMPLE_FIELDS:
        return False
    if name.lower() == "content-type":
        return not _UNSAFE_VALUE.search(value) and value.partition(";")[0].strip().lower() in _SIMPLE_TYPES
    return not _UNSAFE_VALUE.search(value)


class Page:
    """A page of `origin` that talks to one server of another origin."""

    def __init__(self, origin: str, host: str, port: int, clock: Callable[[], float]) -> None:
        self.origin = origin
        self._where = host, port
        self._clock = clock
        self._kept: dict[tuple[str, bool], _Kept] = {}
        self.sent: list[str] = []
        """The methods of all requests, in order."""

    async def fetch(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, credentials: bool = False
    ) -> Answer:
        """As ``fetch(url, {mode: "cors"})``; `credentials`: ``include``.  Raises `Blocked`."""
        headers = headers or {}
        unsafe = sorted(name.lower() for name, value in headers.items() if not is_simple(name, value))
        if (method not in SIMPLE_METHODS or unsafe) and not self._is_kept(path, method, unsafe, credentials):
            await self._preflight(path, method, unsafe, credentials)
        cookie = {"Cookie": "session=1"} if credentials else {}
        status, fields = await self._send(method, path, {**headers, **cookie, "Origin": self.origin})
        self._check(fields, credentials)
        return Answer(status, _shown(fields, credentials))

    async def _preflight(self, path: str, method: str, unsafe: list[str], credentials: bool) -> None:
        asked = {"Origin": self.origin, "Access-Control-Request-Method": method}
        if unsafe:
            asked["Access-Control-Request-Headers"] = ",".join(unsafe)
        status, fields = await self._send("OPTIONS", path, asked)
        self._check(fields, credentials)
        if not 200 <= status <= 299:
            raise Blocked(f"the preflight was answered {status}")
        methods = frozenset(_listed(fields, "access-control-allow-methods"))
        names = frozenset(name.lower() for name in _listed(fields, "access-control-allow-headers"))
        any_method, any_field = (not credentials and "*" in each for each in (methods, names))
        if method not in methods and method not in SIMPLE_METHODS and not any_method:
            raise Blocked(f"{method} is not allowed")
        for name in unsafe:
            if name not in names and (name == "authorization" or not any_field):
                raise Blocked(f"{name} is not allowed")
        said = fields.get("access-control-max-age", "")
        age = min(int(said), _LONGEST_AGE) if said.isdecimal() else _DEFAULT_AGE
        if age:
            kept_fields = names | (frozenset(unsafe) if any_field else frozenset())
            kept = _Kept(self._clock() + age, methods | {method}, kept_fields)
            self._kept[path, credentials] = kept

    def _is_kept(self, path: str, method: str, unsafe: list[str], credentials: bool) -> bool:
        kept = self._kept.get((path, credentials))
        if kept is None or kept.until <= self._clock():
            return False
        return (method in kept.methods or method in SIMPLE_METHODS) and kept.fields.issuperset(unsafe)

    def _check(self, fields: Mapping[str, str], credentials: bool) -> None:
        """The CORS check (section 4.9)."""
        allowed = fields.get("access-control-allow-origin")
        if allowed == "*" and not credentials:
            return
        if allowed != self.origin:
            raise Blocked(f"the answer is for {allowed or 'nobody'}")
        if credentials and fields.get("access-control-allow-credentials") != "true":
            raise Blocked("the answer is for no one with credentials")

    async def _send(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
        self.sent.append(method)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        reader, writer = await asyncio.open_connection(*self._where)
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: api\r\nContent-Length: 0\r\n{head}\r\n".encode())
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        finally:
            writer.close()
            await writer.wait_closed()
        start, *lines = answer.split("\r\n")[:-2]
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            before = fields.get(name.lower())
            fields[name.lower()] = value.strip() if before is None else f"{before}, {value.strip()}"
        return int(start.split()[1]), fields


def _listed(fields: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in fields.get(name, "").split(",") if part.strip()]


def _shown(fields: Mapping[str, str], credentials: bool) -> dict[str, str]:
    exposed = {name.lower() for name in _listed(fields, "access-control-expose-headers")}
    every = "*" in exposed and not credentials
    shown = {name for name in fields if (every or name in exposed or name in _SHOWN) and name not in _NEVER_SHOWN}
    return {name: fields[name] for name in shown}
