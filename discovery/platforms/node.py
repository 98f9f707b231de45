"""What all local replicas of one machine share: its addresses and ports, the keeper, the prober, the log folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from config.configset import ConfigSet
from discovery.backoff import KUBERNETES_RESTARTS, BackoffPolicy
from discovery.platforms.base import Drained
from discovery.platforms.keeper import Keeper
from discovery.platforms.logs import LogFolder
from discovery.platforms.ports import AddressPool, PortPool
from discovery.prober import Prober


@dataclass(slots=True)
class Node:
    name: str
    keeper: Keeper
    prober: Prober
    logs: LogFolder
    addresses: AddressPool
    ports: PortPool
    drained: Drained
    random: Random
    environment: Mapping[str, str]
    """Weft's own, of which containers inherit a few variables."""
    restarts: BackoffPolicy = KUBERNETES_RESTARTS
    clock: Callable[[], float] = time.monotonic
    """Measures how long a container ran, in seconds."""
    wall_clock: Callable[[], float] = time.time
    config: ConfigSet = field(default_factory=ConfigSet)
    """The one in force; containers that start read Secrets, ConfigMaps and Services from it."""
    reserved: frozenset[int] = frozenset()
    """Ports that no replica may have."""
