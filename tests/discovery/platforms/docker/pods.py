"""Pod templates and what is written on their containers, in a few words."""

from __future__ import annotations

from typing import Any

from config.meta import LabelSelector, ObjectMeta
from config.resources.workloads import (
    Container,
    ContainerPort,
    Deployment,
    DeploymentSpec,
    PodMetadata,
    PodSpec,
    PodTemplate,
)
from discovery.endpoint import WorkloadRef
from discovery.platforms.docker.mark import Mark

SHOP = WorkloadRef("Deployment", "default", "shop")
SIDE = Container(name="side", image="shop:1")


def template(*others: Container, grace: int = 5, **container: Any) -> PodTemplate:
    main = {"image": "shop:1", "ports": (ContainerPort(container_port=8080, name="http"),), **container}
    spec = PodSpec(containers=(Container(name="main", **main), *others), termination_grace_period_seconds=grace)
    return PodTemplate(spec=spec, metadata=PodMetadata(labels={"app": "shop"}))


def deployment(replicas: int = 1, *others: Container, **container: Any) -> Deployment:
    spec = DeploymentSpec(
        selector=LabelSelector(match_labels={"app": "shop"}),
        template=template(*others, **container),
        replicas=replicas,
    )
    return Deployment(metadata=ObjectMeta(name="shop", namespace="default"), spec=spec)


def mark(container: str = "main", **more: Any) -> Mark:
    return Mark(SHOP, "shop-abc-12345", "abc", container, template(SIDE, **more), 1000.5, "bridge", "/state")
