"""Short ways to write the objects that these tests are about."""

from __future__ import annotations

from typing import Any

from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.endpoint import Replica, ReplicaPort, WorkloadRef


def service(
    name: str = "shop",
    *ports: ServicePort,
    selector: dict[str, str] | None = None,
    namespace: str = "default",
    **spec: Any,
) -> Service:
    """With one unnamed port 80 unless `ports` say otherwise."""
    return Service(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=ServiceSpec(selector=selector or {}, ports=ports or (ServicePort(port=80),), **spec),
    )


def named(*services: Service) -> dict[Named, Service]:
    return {Named(each.metadata.namespace, each.metadata.name): each for each in services}


def replica(number: int = 1, app: str = "shop", namespace: str = "default", **more: Any) -> Replica:
    """A ready one, whose containerPort 8080 called ``http`` is 31000 + `number`."""
    given: dict[str, Any] = {
        "id": f"{app}-{number}",
        "workload": WorkloadRef("Deployment", namespace, app),
        "labels": {"app": app},
        "node": "laptop",
        "address": f"127.97.{number // 250}.{number % 250 + 1}",
        "ports": (ReplicaPort(8080, 31000 + number, "http"),),
        "ready": True,
        "serving": True,
    }
    return Replica(**(given | more))
