"""Filters: all that the policies of one route do to a request, and to its response, in order.

A request is refused, or answered in the endpoint's place, by the first check that says so: access, preflight, rate
limit, size, redirect, fault.  One that passes is rewritten, edited, and may be sent elsewhere, be delayed or be
copied.  A route without such policies has no Filters at all, and its requests cost nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mesh.backend import Backend
from mesh.filters.access import Access
from mesh.filters.cookie import Cookie
from mesh.filters.fault import Fault
from mesh.filters.query import Query, Reply
from mesh.filters.split import Split

Check = Callable[[Query], Reply | None]
RequestEdit = Callable[[bytes], bytes]
ResponseEdit = Callable[[Query, bytes], bytes]
Chance = Callable[[], float]
"""Gives numbers from 0 to below 1."""


class Mirror(NamedTuple):
    """Where copies of a share of the requests go."""

    backend: Backend
    share: float
    """From 0 to 1."""


class Passed(NamedTuple):
    """A request that goes on."""

    lines: bytes
    """Of its head, as they are to be sent."""
    backend: Backend | None
    """Where it goes; None: where the route leads."""
    delay: float
    """Seconds that it has to wait before."""
    mirror: Backend | None
    """Where a copy goes."""
    key: bytes = b""
    """What the client is given to be known by from now on; empty: nothing."""


_passed = partial(tuple.__new__, Passed)
"""The constructor of a named tuple is Python code; this is not."""


class Filters:
    """Those of one route.  Immutable, but for what rate limits remember."""

    __slots__ = (
        "_chance",
        "access",
        "checks",
        "cookie",
        "edits",
        "fault",
        "mirror",
        "most_bytes",
        "responses",
        "split",
        "swift",
        "timeout",
    )

    def __init__(
        self,
        chance: Chance,
        *,
        access: Access | None = None,
        checks: tuple[Check, ...] = (),
        fault: Fault | None = None,
        edits: tuple[RequestEdit, ...] = (),
        cookie: Cookie | None = None,
        split: Split[Backend] | None = None,
        mirror: Mirror | None = None,
        responses: tuple[ResponseEdit, ...] = (),
        most_bytes: int = 0,
        timeout: float = 0.0,
    ) -> None:
        self._chance = chance
        self.access = access
        self.checks = checks
        self.fault = fault
        self.edits = edits
        self.cookie = cookie
        self.split = split
        self.mirror = mirror
        self.responses = responses
        self.most_bytes = most_bytes
        """Of a body whose length is known only at its end; 0: any number."""
        self.timeout = timeout
        """Seconds for the whole exchange; 0: any number."""

        self.swift = fault is None and mirror is None
        """What passes goes on at once, and is only sent there."""

    def admits(self, client: str) -> bool:
        """Whether connections from this address are taken, whatever they speak."""
        return self.access is None or self.access.admits(client)

    def backend(self) -> Backend | None:
        """Where a connection that is no request goes; None: where the route leads."""
        return self.split.choose(self._chance()) if self.split else None

    def request(self, query: Query) -> Passed | Reply:
        for check in self.checks:
            reply = check(query)
            if reply is not None:
                return reply
        delay = 0.0
        if self.fault is not None:
            reply = self.fault.abort(self._chance())
            if reply is not None:
                return reply
            delay = self.fault.delay(self._chance())
        lines = query.lines
        for edit in self.edits:
            lines = edit(lines)
        mirror = self.mirror
        copied = mirror.backend if mirror is not None and self._chance() < mirror.share else None
        backend = self.backend()
        key = self.cookie.new(lines, self._chance) if self.cookie is not None and backend is None else b""
        return _passed((lines, backend, delay, copied, key))

    def response(self, query: Query, lines: bytes) -> bytes:
        """The lines of the head of the response to `query`, also of one that an endpoint did not give."""
        for edit in self.responses:
            lines = edit(query, lines)
        return lines
