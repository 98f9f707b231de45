"""Which changes of the catalog may wait a moment for others, and which may not.

An endpoint that is going away must get no further request, so that comes in force at once.  One that appears
or turns ready can wait until its siblings have, and the table is compiled once for all of them.
"""

from __future__ import annotations

from discovery.catalog import PortEndpoints, Snapshot


def is_urgent(before: Snapshot, after: Snapshot) -> bool:
    """Whether an endpoint that could be picked in `before` cannot be picked in `after`."""
    return any(
        _lost_one(before.services.get(service, {}), after.services.get(service, {})) for service in after.changed
    )


def _lost_one(before: PortEndpoints, after: PortEndpoints) -> bool:
    for port, endpoints in before.items():
        still = {endpoint.where for endpoint in after.get(port, ()) if endpoint.ready}
        if any(endpoint.ready and endpoint.where not in still for endpoint in endpoints):
            return True
    return False
