"""Rate limits: token buckets, of all clients together and of each.

A bucket is one number: the moment at which it will be full again (the generic cell rate algorithm of ATM, ITU-T
I.371).  A refused request takes no token from any bucket.  The fields are those of the IETF's
draft-ietf-httpapi-ratelimit-headers, and Retry-After (RFC 9110 section 10.2.3).
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address
from itertools import islice
from math import ceil
from typing import Final

from config.filters import RateLimitPolicy, TokenBucketPolicy
from mesh.filters.query import Query, Reply
from mesh.reasons import RATE_LIMITED

MOST_CLIENTS: Final = 65_536
"""Clients that are remembered at a time; the one that came longest ago is forgotten first."""
SWEPT: Final = 8
"""Clients that are looked at for each new one, and forgotten if their buckets are full again."""


ROUNDING = 1e-6
"""Seconds either way that are a matter of how numbers are rounded."""


def _whole(seconds: float) -> int:
    return ceil(seconds - ROUNDING)


class Bucket:
    """What a policy makes of the moment at which a bucket is full."""

    __slots__ = ("_depth", "_name", "_token", "quota")

    def __init__(self, name: str, policy: TokenBucketPolicy) -> None:
        window = f";w={int(policy.per)}" if policy.per.is_integer() else ""
        self._name = f'"{name}"'.encode("ascii")
        self.quota = f'"{name}";q={policy.requests}{window}'.encode("ascii")
        """What the policy is, as an item of the field RateLimit-Policy."""
        self._token = policy.per / policy.requests
        """Seconds in which a token drips in."""
        self._depth = self._token * (policy.burst or policy.requests)

    def take(self, full: float, now: float) -> float:
        """The moment at which the bucket is full once a token is taken out at `now`."""
        return max(full, now) + self._token

    def wait(self, full: float, now: float) -> float:
        """Seconds until there is a token; 0: there is."""
        over = self.take(full, now) - now - self._depth
        return over if over > ROUNDING else 0.0

    def left(self, full: float, now: float) -> bytes:
        """What is left of it, as an item of the field RateLimit: until there is a token, or until it is full again."""
        missing = max(full - now, 0.0)
        tokens = max(int((self._depth - missing) / self._token + 1e-6), 0)
        return b"%b;r=%d;t=%d" % (self._name, tokens, _whole(missing if tokens else self.wait(full, now)))

    def reply(self, wait: float, alone: bool) -> Reply:
        """`alone`: nobody else says what is left."""
        seconds = max(1, _whole(wait))
        fields = b"Retry-After: %d\r\n" % seconds
        if alone:
            fields += b"RateLimit-Policy: %b\r\nRateLimit: %b;r=0;t=%d\r\n" % (self.quota, self._name, seconds)
        return Reply(RATE_LIMITED, fields=fields)


class RateLimit:
    """Lives as long as any route has it: how much was used is not forgotten when the table changes."""

    __slots__ = ("__weakref__", "_client", "_clients", "_full", "_policies", "_route", "_told")

    def __init__(self, policy: RateLimitPolicy) -> None:
        self._route = Bucket("route", policy.route) if policy.route else None
        self._client = Bucket("client", policy.client) if policy.client else None
        self._told = policy.fields
        buckets = [bucket.quota for bucket in (self._route, self._client) if bucket]
        self._policies = b"RateLimit-Policy: %b\r\nRateLimit: " % b", ".join(buckets)
        self._full = 0.0
        """When the bucket of all clients is full."""
        self._clients: dict[str, float] = {}
        """Client to the moment at which its bucket is full; the one that came last is last."""

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._clients)

    def __call__(self, query: Query) -> Reply | None:
        now, own, client = query.now, 0.0, ""
        if self._client:
            client = _whose(query.client)
            own = self._clients.get(client, 0.0)
            wait = self._client.wait(own, now)
            if wait:
                return self._client.reply(wait, not self._told)
        if self._route:
            wait = self._route.wait(self._full, now)
            if wait:
                return self._route.reply(wait, not self._told)
            self._full = self._route.take(self._full, now)
        if self._client:
            self._remember(client, self._client.take(own, now), now)
        return None

    def response(self, query: Query, lines: bytes) -> bytes:
        """The lines of the head of an answer to `query`, with what is left now."""
        left = [self._route.left(self._full, query.now)] if self._route else []
        if self._client:
            left.append(self._client.left(self._clients.get(_whose(query.client), 0.0), query.now))
        return b"%b%b%b\r\n" % (lines, self._policies, b", ".join(left)) if left else lines

    def _remember(self, client: str, full: float, now: float) -> None:
        known = self._clients.pop(client, None)
        self._clients[client] = full
        if known is not None:
            return
        for oldest in tuple(islice(self._clients, SWEPT)):
            if self._clients[oldest] <= now or len(self._clients) > MOST_CLIENTS:
                del self._clients[oldest]


def _whose(address: str) -> str:
    """The client that an address stands for: of IPv6 a whole /64, out of which anyone may take addresses at will."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address.partition("%")[0])
    except AddressValueError:
        return address
    return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
