"""What Weft writes on the containers that it starts, as labels, so that it knows them again after a restart.  Pure.

With the pod template on it a container can be probed and started again by a weft that has never seen the manifest
which it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from config.resources.workloads import Container, PodTemplate
from discovery.endpoint import WorkloadRef
from discovery.platforms.docker.labels import NETWORK, WORKLOAD

REPLICA: Final = "weft.dev/replica"
REVISION: Final = "weft.dev/revision"
CONTAINER: Final = "weft.dev/container"
TEMPLATE: Final = "weft.dev/template"
CREATED: Final = "weft.dev/created"
STATE: Final = "weft.dev/state"


class Mark(msgspec.Struct, frozen=True):
    """Which container of which replica it is."""

    workload: WorkloadRef
    replica: str
    digest: str
    container: str
    template: PodTemplate
    created: float
    """Unix time at which the replica was begun."""
    network: str
    """The one that it was put in."""
    state: str
    """The state folder of the weft that has made it: others on the same engine let it be."""

    @property
    def name(self) -> str:
        """What the engine calls the container."""
        return f"weft_{self.workload.namespace}_{self.replica}_{self.container}"

    @property
    def spec(self) -> Container:
        return next(each for each in self.template.spec.containers if each.name == self.container)

    def labels(self) -> dict[str, str]:
        return {
            WORKLOAD: f"{self.workload.namespace}/{self.workload.name}",
            REPLICA: self.replica,
            REVISION: self.digest,
            CONTAINER: self.container,
            TEMPLATE: msgspec.json.encode(self.template).decode(),
            CREATED: f"{self.created:.3f}",
            NETWORK: self.network,
            STATE: self.state,
        }


def mark_of(labels: Mapping[str, str]) -> Mark | None:
    """What a container is; None: nothing of Weft's, or of a weft whose labels this one cannot read."""
    namespace, slash, name = labels.get(WORKLOAD, "").partition("/")
    try:
        mark = Mark(
            workload=WorkloadRef("Deployment", namespace, name),
            replica=labels[REPLICA],
            digest=labels[REVISION],
            container=labels[CONTAINER],
            template=msgspec.json.decode(labels[TEMPLATE], type=PodTemplate),
            created=float(labels[CREATED]),
            network=labels[NETWORK],
            state=labels[STATE],
        )
    except (KeyError, ValueError):
        return None
    known = any(each.name == mark.container for each in mark.template.spec.containers)
    return mark if slash and known else None
