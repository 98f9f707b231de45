"""Who the containers of tasks are.  Pure.

A task stands behind the Service that is called like its own, unless a label of its container, or of its service,
names another one.  It is counted once, by its own id, whoever speaks of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from config.meta import Named
from discovery.endpoint import WorkloadRef
from discovery.platforms.docker import labels as own
from discovery.platforms.docker.observed import Identity
from discovery.platforms.docker.sighting import Sighting
from discovery.platforms.swarm.labels import KIND, SERVICE_NAME, key_of, name_of


def matters(labels: Mapping[str, str]) -> bool:
    """Whether a container with these labels is one of a task."""
    return bool(labels.get(own.SWARM_TASK) and labels.get(SERVICE_NAME))


def identify(seen: Sighting, named: Mapping[str, Named]) -> Identity | None:
    """Who a task's container is; None: its service has no name here.  `named`: see `labels.named_in`."""
    name = name_of(seen.labels[SERVICE_NAME], seen.labels)
    if name is None:
        return None
    service = own.service_of(seen.labels) or named.get(key_of(name), name)
    return Identity(seen.labels[own.SWARM_TASK], WorkloadRef(KIND, *name), service, seen.labels)
