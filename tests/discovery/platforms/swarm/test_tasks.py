from __future__ import annotations

from config.meta import Named
from discovery.endpoint import WorkloadRef
from discovery.platforms.docker.observed import Identity
from discovery.platforms.docker.sighting import Sighting
from discovery.platforms.swarm.tasks import identify, matters
from tests.discovery.platforms.swarm.facts import TASK, container_labels

WEB = Named("default", "web")


def identity(labels: dict[str, str], named: dict[str, Named] | None = None) -> Identity | None:
    return identify(Sighting(id="c1", name="web.1", labels=labels), named or {})


def test_only_containers_of_tasks_matter() -> None:
    assert matters(container_labels())
    assert not matters({"weft.dev/service": "web"})


def test_a_task_stands_behind_the_service_of_its_name() -> None:
    labels = container_labels()
    assert identity(labels) == Identity(TASK, WorkloadRef("SwarmService", *WEB), WEB, labels)


def test_labels_of_its_service_and_of_its_container_name_another_one() -> None:
    front, other = Named("shop", "front"), Named("shop", "other")
    found = identity(container_labels(), {"default.web": other})
    assert found is not None
    assert (found.service, found.workload.name) == (other, "web")
    found = identity(container_labels(**{"weft.dev/service": "shop/front"}), {"default.web": other})
    assert found is not None
    assert found.service == front


def test_a_name_that_is_none_here() -> None:
    assert identity(container_labels("w" * 64)) is None
