"""The pool: idle connections wait at their endpoint, the newest is used first.

The oldest ones are then those that are closed when fewer are needed.
"""

from __future__ import annotations

from mesh.backend import EndpointState
from mesh.upstream import HTTPUpstream


def take(state: EndpointState, now: float) -> HTTPUpstream | None:
    """An idle connection to the endpoint that has not waited too long; None: there is none."""
    idle = state.idle
    while idle:
        upstream: HTTPUpstream = idle.pop()
        if upstream.deadline > now:
            return upstream
        upstream.close()
    return None


def give_back(upstream: HTTPUpstream, now: float) -> None:
    """Keep the connection for the next exchange; its response has been read to the end."""
    upstream.exchange = None
    if upstream.held:
        upstream.resume()
    upstream.deadline = now + upstream.timeout
    upstream.state.idle.append(upstream)
