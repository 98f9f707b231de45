"""What runs, as it is looked at from outside."""

from __future__ import annotations

from config.meta import Named, ObjectKey
from discovery.endpoint import Endpoint
from mesh.status import ACCEPTED
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


async def test_statuses(node: Assembly) -> None:
    assert node.running.status(ObjectKey("Secret", "default", "web")) is ACCEPTED
    assert node.running.status(ObjectKey("Service", "default", "web")).state == "degraded"
    ((key, status),) = node.running.not_in_force()
    assert (key.kind, status.state) == ("Service", "degraded")


async def test_the_first_ready_waits_for_the_table(node: Assembly) -> None:
    node.catalog.put_endpoints("manifest", {})
    assert [item.what for item in node.running.missing()] == ["routing table"]
    await node.publisher.publish()
    assert node.running.missing() == []
    node.catalog.put_endpoints("other", {Named("default", "web"): {"http": (Endpoint("127.0.0.1", 1),)}})
    assert node.running.missing() == [], "later changes come in force soon and are no matter"


async def test_listens_are_what_is_bound_for_the_port(node: Assembly) -> None:
    (key,) = node.listeners.states
    assert node.running.listens(Named("default", "web")) == {"http": [str(key)]}
    assert node.running.listens(Named("default", "other")) == {}
    node.listeners.states[key].bound = None
    assert node.running.listens(Named("default", "web")) == {}


async def test_a_listener_that_is_elsewhere_is_remarked(node: Assembly) -> None:
    (key,) = node.listeners.states
    state = node.listeners.states[key]
    state.bound, state.reason = key._replace(port=key.port + 1), "port 80 needs a right"
    reasons = node.running.status(ObjectKey("Service", "default", "web")).reasons
    assert reasons[-1] == f"port http: served at {state.bound} (port 80 needs a right)"
