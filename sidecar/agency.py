"""What a node does for the sidecars on it: to them it is as good as a registry, and near.

It sends them the parts of its copy of the written zone that they ask for, tells them of changes there, and hands on
what they register.  When no registry answers they follow its copy, and learn of Services that they had not used.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from random import Random
from typing import Final

from config.addresses import parse_network
from config.configset import ConfigSet
from discovery.registry.audience import Audience
from discovery.registry.authority import Authority
from discovery.registry.content import Content
from discovery.registry.keys import Key, KeyRing, Scope
from discovery.registry.notifier import Notifier
from discovery.registry.resolv_conf import Resolver
from discovery.registry.secondary import Secondary
from discovery.registry.transfer import Apex, History, Step
from discovery.registry.update_forwarder import UpdateForwarder
from sidecar.registry import key_scopes

MOST_HISTORY_BYTES: Final = 1 << 20
"""Of changes that are kept; who is behind further gets its parts as a whole."""
THIS_MACHINE: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class SharedCopy:
    """A copy as it is sent to others; changes are kept once somebody asks for them."""

    def __init__(self, apex: Apex, secondary: Secondary) -> None:
        self.apex = apex
        self._secondary = secondary

    @property
    def content(self) -> Content:
        return self._secondary.content

    @property
    def history(self) -> History:
        if self._secondary.history is None:
            self._secondary.history = History(self.apex, MOST_HISTORY_BYTES)
        return self._secondary.history

    async def since(self, serial: int) -> Sequence[Step] | None:
        """What happened after `serial`; None: that is not known any more."""
        return [] if serial == self.content.serial else self.history.since(serial)

    def overtaken(self, serial: int) -> None:
        """Of several registries one may be behind another, and so may a copy."""


class Agency:
    """From `attach` to `close`.  Needs a running event loop."""

    def __init__(
        self, copy: SharedCopy, nodes: bytes, servers: Sequence[Resolver], key: Key | None, random: Random
    ) -> None:
        """`nodes`: the zone of those that are told; `servers`: registries; `key`: the node's own, if it has one."""
        self._copy = copy
        self._nodes = nodes
        self._key = key
        self._audience = Audience(nodes, time.monotonic)
        self._notifier = Notifier(self._audience.targets, random)
        self._forwarder = UpdateForwarder(servers)
        self._forwarder.carried.append(self._audience.carried)
        self._authority: Authority | None = None

    def attach(self, authority: Authority, config_set: ConfigSet) -> None:
        """Hand on what is registered with `authority`."""
        self._authority = authority
        self.define(config_set)
        for zone in (self._copy.apex.origin, self._nodes):
            authority.forward(zone, self._forwarder.take)

    def define(self, config_set: ConfigSet) -> None:
        """Let those in whom the settings name, who has the node's own key, and this machine if no keys are named."""
        if self._authority is None:
            return
        settings = config_set.node.registry
        own = [(self._key, Scope(transfers=True))] if self._key is not None else []
        keys = KeyRing([*own, *key_scopes(settings.keys, config_set.secrets)], closed=bool(settings.keys))
        transfers_to = (*map(parse_network, settings.transfer_to), *(() if settings.keys else THIS_MACHINE))
        self._authority.admit(keys, transfers_to)

    def served_from(self, address: str) -> None:
        """Have followers told from there, where they ask."""
        self._notifier.source = address

    def share(self) -> None:
        """The copy is there: it may be sent."""
        if self._authority is not None:
            self._authority.share(self._copy)

    def changed(self, names: Iterable[bytes]) -> None:
        """These names of the copy changed."""
        if self._audience:
            self._notifier.changed(self._copy.apex, self._copy.content.serial, names)

    async def close(self) -> None:
        """Do no more for anybody."""
        await self._forwarder.close()
        self._notifier.close()
