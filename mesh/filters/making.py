"""Makes the Filters of a route from what its policies say together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from config.filters import RateLimitPolicy
from config.meta import IntOrString
from config.policies import TrafficPolicySpec
from mesh.backend import Backend
from mesh.filters.access import Access
from mesh.filters.chain import Chance, Check, Filters, Mirror, RequestEdit, ResponseEdit
from mesh.filters.cookie import Cookie
from mesh.filters.cors import CORS
from mesh.filters.edits import Edits
from mesh.filters.fault import Fault
from mesh.filters.query import Query
from mesh.filters.rate_limit import RateLimit
from mesh.filters.redirect import Redirect, SecureRedirect
from mesh.filters.rewrite import Rewrite
from mesh.filters.size import Size
from mesh.filters.split import Split
from mesh.filters.trace import Trace

GROUPS = (
    "access", "cors", "rate_limit", "max_request_bytes", "redirect", "fault", "rewrite", "headers", "split", "mirror",
    "trace",
)  # fmt: skip
"""The groups of a policy that filters carry out; beside them ``timeouts.request`` and a cookie that is issued."""


class Surroundings(Protocol):
    """What filters are made of beside the policies."""

    def backend(self, service: str, port: IntOrString | None) -> Backend:
        """The Backend that a split or a mirror names."""

    def rate_limit(self, policy: RateLimitPolicy) -> RateLimit:
        """The one in force for this policy, or a new one."""


class Where(NamedTuple):
    """The route that filters are made for."""

    matched: bytes = b""
    """The part of the path that its rule matches, without a slash at its end."""
    https_port: int = 0
    """Where clients are sent that came without TLS; 0: they are served as others are."""


def filters_of(said: TrafficPolicySpec, where: Where, around: Surroundings, chance: Chance) -> Filters | None:
    """The filters that carry out what is `said`; None: there is nothing for them to do.

    Raises ValueError for what validation would have refused.
    """
    request = said.timeouts.request if said.timeouts else 0.0
    cookie = _cookie(said)
    if not (request or where.https_port or cookie or any(getattr(said, group) for group in GROUPS)):
        return None
    access = Access(said.access) if said.access else None
    cors = CORS(said.cors) if said.cors else None
    most = said.max_request_bytes or 0
    limit = around.rate_limit(said.rate_limit) if said.rate_limit else None
    checks: tuple[Check | None, ...] = (
        access,
        SecureRedirect(where.https_port) if where.https_port else None,
        cors,
        limit,
        Size(most) if most else None,
        Redirect(said.redirect, where.matched) if said.redirect else None,
    )
    return Filters(
        chance,
        access=access,
        checks=tuple(check for check in checks if check is not None),
        fault=Fault(said.fault) if said.fault else None,
        edits=tuple(_request_edits(said, where, chance)),
        cookie=cookie,
        split=_split(said, around),
        mirror=_mirror(said, around),
        responses=tuple(_response_edits(said, cors, cookie, limit)),
        most_bytes=most,
        timeout=request,
    )


def _request_edits(said: TrafficPolicySpec, where: Where, chance: Chance) -> list[RequestEdit]:
    edits: list[RequestEdit] = []
    if said.rewrite:
        edits.append(Rewrite(said.rewrite, where.matched))
    if said.headers:
        edits.append(Edits(said.headers.request))
    if said.trace:
        edits.append(Trace(said.trace, chance))
    return edits


def _response_edits(
    said: TrafficPolicySpec, cors: CORS | None, cookie: Cookie | None, limit: RateLimit | None
) -> Iterator[ResponseEdit]:
    if cors:
        yield cors.response
    if cookie:
        yield cookie.response
    if limit is not None and said.rate_limit is not None and said.rate_limit.fields:
        yield limit.response
    if said.headers:
        yield _whoever_asked(Edits(said.headers.response))


def _cookie(said: TrafficPolicySpec) -> Cookie | None:
    key = said.balancer.hash if said.balancer else None
    return Cookie(key, key.issue) if key and key.cookie and key.issue else None


def _whoever_asked(edits: Callable[[bytes], bytes]) -> ResponseEdit:
    def edit(_query: Query, lines: bytes) -> bytes:
        return edits(lines)

    return edit


def _split(said: TrafficPolicySpec, around: Surroundings) -> Split[Backend] | None:
    if not said.split:
        return None
    return Split([(around.backend(each.service, each.port), each.weight) for each in said.split])


def _mirror(said: TrafficPolicySpec, around: Surroundings) -> Mirror | None:
    if not said.mirror:
        return None
    return Mirror(around.backend(said.mirror.service, said.mirror.port), said.mirror.percent / 100)
