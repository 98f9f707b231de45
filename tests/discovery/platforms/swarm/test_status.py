from __future__ import annotations

from config.meta import Named
from discovery.platforms.swarm.status import status_of, statuses
from tests.discovery.platforms.swarm.facts import listed, service, task


def test_services_and_their_tasks() -> None:
    services = [service("web"), service("every", replicas=None), service("w" * 64)]
    tasks = [task("a"), task("b", state="starting", Err="no such image"), task("c", of="every")]
    found = listed(services, tasks)
    every, web = statuses(found)
    assert (every.workload.name, every.desired, every.ready) == ("every", 1, 1)
    assert (web.desired, web.existing, web.running, web.ready, web.available) == (2, 2, 1, 1, 1)
    assert web.message == "no such image"
    assert [(each.id, each.ready, each.pending) for each in web.replicas] == [("a", True, False), ("b", False, True)]
    assert status_of(found, Named("default", "web"), found.services["id-web"]) == web
