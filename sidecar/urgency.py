"""Which changes of the catalog may wait a moment for others, and which may not.

An endpoint that is going away must get no further request, so that comes in force at once.  One that appears
or turns ready can wait until its siblings have, and the table is compiled once for all of them.
"""

from __future__ import annotations

from itertools import compress
from operator import is_not

from discovery.catalog import Endpoint, PortEndpoints, Snapshot

Endpoints = tuple[Endpoint, ...]


def is_urgent(before: Snapshot, after: Snapshot) -> bool:
    """Whether an endpoint that could be picked in `before` cannot be picked in `after`."""
    return any(
        _lost_one(before.services.get(service, {}), after.services.get(service, {})) for service in after.changed
    )


def _lost_one(before: PortEndpoints, after: PortEndpoints) -> bool:
    for port, endpoints in before.items():
        old, new = _differing(endpoints, after.get(port, ()))
        still = {endpoint.where for endpoint in new if endpoint.ready}
        if any(endpoint.ready and endpoint.where not in still for endpoint in old):
            return True
    return False


def _differing(before: Endpoints, now: Endpoints) -> tuple[Endpoints, Endpoints]:
    """Both without what is the same object in the same place, which of a large Service is nearly all."""
    if len(before) != len(now):
        return before, now
    differs = tuple(map(is_not, before, now))
    return tuple(compress(before, differs)), tuple(compress(now, differs))
