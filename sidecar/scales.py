"""How many replicas there are to be now: what the platform says, which an autoscaler or a user may have changed.

Without a platform that runs a Deployment its manifest counts.  A Service is *asleep* when it selects Deployments and
none of them is to have a replica, which is another thing than having none that is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import Service
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
        self.elsewhere: Callable[[Service], Sequence[Named]] = lambda _: ()
        """The Deployments that a Service selects and whose manifests are not known here."""

    def asleep(self, key: BackendKey) -> bool:
        """Whether the Service of a Backend is scaled to zero."""
        config_set = self._config_set()
        names = self._known_behind(config_set, key) if config_set is not None else ()
        return config_set is not None and bool(names) and not any(self._number(config_set, name) for name in names)

    def behind(self, key: BackendKey) -> tuple[Named, ...]:
        """The Deployments that the Service of a Backend selects, wherever they run."""
        config_set = self._config_set()
        service = config_set.services.get(Named(key.namespace, key.service)) if config_set is not None else None
        if config_set is None or service is None:
            return ()
        return (*self._known_behind(config_set, key), *self.elsewhere(service))

    def _known_behind(self, config_set: ConfigSet, key: BackendKey) -> tuple[Named, ...]:
        if config_set is not self._known:
            self._known, self._selected = config_set, {}
        service = Named(key.namespace, key.service)
        if service not in self._selected:
            written = config_set.services.get(service)
            self._selected[service] = () if written is None else config_set.selected(written)
        return self._selected[service]

    def _number(self, config_set: ConfigSet, name: Named) -> int:
        live = self._desired(name)
        return config_set.deployments[name].spec.replicas if live is None else live
