"""How many replicas there are to be now: what the platform says, which an autoscaler or a user may have changed.

Without a platform that runs a Deployment its manifest counts.  A Service is *asleep* when it selects Deployments, or
services of a swarm are known to stand behind it, and none of them is to have a replica, which is another thing than
having none that is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import Service
from discovery.endpoint import WorkloadRef
from discovery.platforms.swarm.labels import KIND, behind, named_in
from mesh.plan import BackendKey

Desired = Callable[[Named], int | None]
"""The live number of a Deployment; None: the platform does not run it."""


class Scales:
    """Answers when a request has failed: what takes long is remembered until the manifests change."""

    def __init__(self, config_set: Callable[[], ConfigSet | None], desired: Desired) -> None:
        """`config_set` gives what is in force."""
        self._config_set = config_set
        self._desired = desired
        self._known: ConfigSet | None = None
        self._selected: dict[Named, tuple[Named, ...]] = {}
        self._named: Mapping[str, Named] = {}
        self.sizes: list[Desired] = []
        """Who may know the live number of a Swarm service; None: it is not known there."""
        self.elsewhere: Callable[[Service], Sequence[WorkloadRef]] = lambda _: ()
        """What else stands behind a Service, as its manifests, or labels of Swarm services, are not known here."""

        self.told: Callable[[WorkloadRef], bool] = lambda _: False
        """Whether `elsewhere` knows all Services behind which something stands: then its name says nothing."""

    def asleep(self, key: BackendKey) -> bool:
        """Whether the Service of a Backend is scaled to zero."""
        config_set = self._config_set()
        if config_set is None:
            return False
        numbers = [self._number(config_set, name) for name in self._known_behind(config_set, key)]
        swarm = (Named(*each[1:]) for each in self.behind(key) if each.kind == KIND)
        numbers += [size for name in swarm if (size := self._size(name)) is not None]
        return bool(numbers) and not any(numbers)

    def sleeps(self, service: Named) -> bool:
        """The same, as `discovery.registry.names.Asleep`."""
        return self.asleep(BackendKey(*service, ""))

    def behind(self, key: BackendKey) -> tuple[WorkloadRef, ...]:
        """The Deployments that the Service of a Backend selects, and what a swarm may have, each once."""
        config_set = self._config_set()
        service = config_set.services.get(Named(key.namespace, key.service)) if config_set is not None else None
        if config_set is None or service is None:
            return ()
        deployments = (WorkloadRef("Deployment", *name) for name in self._known_behind(config_set, key))
        swarm = (WorkloadRef(KIND, *name) for name in behind(Named(key.namespace, key.service), self._named))
        guessed = (each for each in swarm if not self.told(each))
        return tuple(dict.fromkeys((*deployments, *self.elsewhere(service), *guessed)))

    def _size(self, name: Named) -> int | None:
        return next((found for size in self.sizes if (found := size(name)) is not None), None)

    def _known_behind(self, config_set: ConfigSet, key: BackendKey) -> tuple[Named, ...]:
        if config_set is not self._known:
            self._known, self._selected, self._named = config_set, {}, named_in(config_set)
        service = Named(key.namespace, key.service)
        if service not in self._selected:
            written = config_set.services.get(service)
            self._selected[service] = () if written is None else config_set.selected(written)
        return self._selected[service]

    def _number(self, config_set: ConfigSet, name: Named) -> int:
        live = self._desired(name)
        return config_set.deployments[name].spec.replicas if live is None else live
