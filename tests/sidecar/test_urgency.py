"""What may wait and what may not."""

from __future__ import annotations

import pytest

from config.meta import Named
from discovery.catalog import Snapshot
from discovery.endpoint import Endpoint
from sidecar.urgency import is_urgent

WEB = Named("default", "web")
A, B = Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)
UNREADY_A = Endpoint("127.0.0.1", 1, ready=False)
LEAVING_A = Endpoint("127.0.0.1", 1, ready=False, terminating=True)


def snapshot(*endpoints: Endpoint, gone: bool = False) -> Snapshot:
    return Snapshot(1, {} if gone else {WEB: {"http": endpoints}}, frozenset({WEB}))


CHANGES = {
    "one more": (snapshot(A), snapshot(A, B), False),
    "turned ready": (snapshot(UNREADY_A), snapshot(A), False),
    "an unready one went": (snapshot(UNREADY_A, B), snapshot(B), False),
    "first word": (snapshot(gone=True), snapshot(A), False),
    "one went": (snapshot(A, B), snapshot(B), True),
    "turned unready": (snapshot(A, B), snapshot(UNREADY_A, B), True),
    "terminates": (snapshot(A, B), snapshot(LEAVING_A, B), True),
    "the Service went": (snapshot(A), snapshot(gone=True), True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_urgency(name: str) -> None:
    before, after, urgent = CHANGES[name]
    assert is_urgent(before, after) is urgent
