"""How many replicas there are to be now: what the platform says, which an autoscaler or a user may have changed.

Without a platform that runs a Deployment its manifest counts.  A Service is *asleep* when it selects Deployments and
none of them is to have a replica, which is another thing than having none that is ready.
"""

from __future__ import annotations

from collections.abc import Callable

from config.configset import ConfigSet
from config.meta import Named, matches
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

    def asleep(self, key: BackendKey) -> bool:
        """Whether the Service of a Backend is scaled to zero."""
        config_set = self._config_set()
        if config_set is None:
            return False
        if config_set is not self._known:
            self._known, self._selected = config_set, {}
        service = Named(key.namespace, key.service)
        if service not in self._selected:
            self._selected[service] = _selected(config_set, service)
        names = self._selected[service]
        return bool(names) and not any(self._number(config_set, name) for name in names)

    def _number(self, config_set: ConfigSet, name: Named) -> int:
        live = self._desired(name)
        return config_set.deployments[name].spec.replicas if live is None else live


def _selected(config_set: ConfigSet, service: Named) -> tuple[Named, ...]:
    """The Deployments whose pods a Service selects."""
    written = config_set.services.get(service)
    wanted = written.spec.selector if written is not None else {}
    if not wanted:
        return ()
    return tuple(
        name
        for name, each in config_set.deployments.items()
        if name.namespace == service.namespace and matches(wanted, each.spec.template.metadata.labels)
    )
