"""What all local replicas of one machine share: its addresses and ports, the keeper, the prober, the log folder."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from config.configset import ConfigSet
from config.settings import NodeConfigSpec
from discovery.backoff import KUBERNETES_RESTARTS, BackoffPolicy
from discovery.platforms.base import Drained
from discovery.platforms.environment import ServedAt, as_written, variables_beneath
from discovery.platforms.keeper import Keeper
from discovery.platforms.logs import LogFolder
from discovery.platforms.ports import AddressPool, PortPool, reserved
from discovery.platforms.usage import Descents
from discovery.prober import Prober


@dataclass(slots=True)
class Node:
    keeper: Keeper
    prober: Prober
    logs: LogFolder
    ports: PortPool
    drained: Drained
    random: Random
    environment: Mapping[str, str]
    """Weft's own, of which containers inherit a few variables."""
    restarts: BackoffPolicy = KUBERNETES_RESTARTS
    name: str = ""
    launching: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a process is started, which takes milliseconds: the loop turns in between."""
    clock: Callable[[], float] = time.monotonic
    """Measures how long a container ran, in seconds."""
    wall_clock: Callable[[], float] = time.time
    addresses: AddressPool = field(default_factory=lambda: AddressPool(NodeConfigSpec().pod_cidr))
    config: ConfigSet = field(default_factory=ConfigSet)
    """The one in force; containers that start read Secrets, ConfigMaps and Services from it."""
    reserved: frozenset[int] = frozenset()
    """Ports that no replica may have."""
    served_at: ServedAt = as_written
    descents: Descents = field(default_factory=lambda: Descents(time.monotonic))
    _beneath: dict[str, dict[str, str]] = field(default_factory=dict)

    def adopt(self, config_set: ConfigSet) -> None:
        """Put `config_set` in force for what starts from now on; what runs keeps its address and name."""
        settings = config_set.node
        self.config = config_set
        self.reserved = reserved(config_set)
        self._beneath = {}
        self.name = settings.node_name or socket.gethostname()
        if settings.pod_cidr != self.addresses.cidr:
            self.addresses = AddressPool(settings.pod_cidr)

    def variables(self, namespace: str) -> Mapping[str, str]:
        """What all containers of a namespace find in their environment."""
        if namespace not in self._beneath:
            beneath = variables_beneath(namespace, self.config, self.environment, self.served_at)
            self._beneath[namespace] = beneath
        return self._beneath[namespace]
