"""What all containers of one engine share: the connection, what is observed, the prober, the configuration in force."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from config.configset import ConfigSet
from discovery.backoff import KUBERNETES_RESTARTS, BackoffPolicy
from discovery.platforms.base import Drained
from discovery.platforms.docker.condition import Condition
from discovery.platforms.docker.engine import Connection
from discovery.platforms.environment import ServedAt, as_written, variables_beneath
from discovery.prober import Prober


@dataclass(slots=True)
class Host:
    engine: Connection
    conditions: Mapping[str, Condition]
    """Of all containers that run, by id."""
    prober: Prober
    drained: Drained
    random: Random
    restarts: BackoffPolicy = KUBERNETES_RESTARTS
    served_at: ServedAt = as_written
    clock: Callable[[], float] = time.monotonic
    """Measures how long a container ran, in seconds."""
    wall_clock: Callable[[], float] = time.time
    name: str = ""
    state: str = ""
    """The state folder: whose containers they are."""
    log_driver: str = ""
    """Of containers that do not say otherwise; empty: not known."""
    config: ConfigSet = field(default_factory=ConfigSet)
    """The one in force; containers that start read Secrets, ConfigMaps and Services from it."""
    _beneath: dict[str, dict[str, str]] = field(default_factory=dict)

    def adopt(self, config_set: ConfigSet) -> None:
        """Put `config_set` in force for what starts from now on."""
        self.config = config_set
        self._beneath = {}
        self.name = config_set.node.node_name or socket.gethostname()

    @property
    def network(self) -> str:
        """The network that containers are put in."""
        return self.config.node.docker.network

    def variables(self, namespace: str) -> Mapping[str, str]:
        """What all containers of a namespace find in their environment; nothing of this machine's."""
        if namespace not in self._beneath:
            self._beneath[namespace] = variables_beneath(namespace, self.config, {}, self.served_at)
        return self._beneath[namespace]
