"""A status is plain data: it can be written as JSON as it is."""

from __future__ import annotations

import msgspec

from mesh.status import ACCEPTED, ObjectStatus, PortStatus
from mesh.table import ListenerKey


def test_plain() -> None:
    status = ObjectStatus("degraded", ("why",), (PortStatus("web", "http", (ListenerKey("127.0.0.1", 80),)),))
    assert msgspec.json.decode(msgspec.json.encode(status)) == {
        "state": "degraded",
        "reasons": ["why"],
        "ports": [{"port": "web", "protocol": "http", "listens": [["127.0.0.1", 80, "TCP"]]}],
        "certificates": [],
    }
    assert ACCEPTED.reasons == ()
