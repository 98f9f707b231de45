"""What runs, as it is looked at from outside."""

from __future__ import annotations

from config.meta import ObjectKey
from sidecar import views
from sidecar.assembly import Assembly


async def test_ready_until_a_listener_is_lost(node: Assembly) -> None:
    assert views.readyz(node.running) == (200, {"ready": True, "missing": []})
    (key,) = node.listeners.states
    node.listeners.states[key].bound = None
    node.listeners.states[key].reason = "gone"
    status, document = views.readyz(node.running)
    assert status == 503
    (missing,) = document["missing"]  # type: ignore[misc]
    assert missing["why"] == "gone"


async def test_an_object_without_a_status_of_its_own_is_accepted(node: Assembly) -> None:
    assert node.running.status(ObjectKey("Secret", "default", "web")) == {"state": "accepted"}
    node.publisher.compiled = None
    assert node.running.status(ObjectKey("Service", "default", "web")) == {"state": "accepted"}
