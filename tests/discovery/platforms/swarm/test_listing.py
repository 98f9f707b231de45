from __future__ import annotations

import pytest

from config.meta import Named
from discovery.platforms.swarm.listing import listing
from tests.discovery.platforms.swarm.facts import TASK, listed, port, service, task


def test_services_and_tasks_are_read() -> None:
    labels = {"weft.dev/publish": "80:8080"}
    found = listed([service(labels=labels), service("db", ports=(5432,), replicas=None)], [task()])
    web, database = found.services.values()
    assert (web.id, web.name, web.named) == ("id-web", "web", Named("default", "web"))
    assert (web.labels, web.replicas, web.docker_ports) == (labels, 2, ())
    assert web.requests == {"cpu": "500000000n", "memory": "64"}
    assert (database.replicas, database.docker_ports) == (None, (port(5432),))
    (one,) = found.tasks.values()
    assert (one.id, one.service, one.state, one.running) == (TASK, "id-web", "running", True)
    assert one.since - one.created == pytest.approx(4.649, abs=0.001)


def test_a_service_without_resources_asks_for_none() -> None:
    bare = {"ID": "x", "Version": {"Index": 1}, "Spec": {"Name": "bare", "Mode": {"Replicated": {}}}}
    (found,) = listed([bare]).services.values()
    assert (found.requests, found.replicas) == ({}, 1)


def test_why_a_task_does_not_run_is_known() -> None:
    (found,) = listed([], [task(state="starting", Err="no suitable node")]).tasks.values()
    assert (found.running, found.message) == (False, "no suitable node")


def test_an_answer_that_is_none_is_refused() -> None:
    for services in (b'[{"ID": 5}]', b"[{", b"\xff"):
        with pytest.raises(ValueError, match="cannot be read"):
            listing(services, b"[]")
