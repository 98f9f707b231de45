"""Names that were written and say nothing: told in the log, once each, since an UPDATE of them is carried out.

RFC 2136 has a server store what it is sent, whatever the names are (section 3.4).  So a slip of the pen is answered by
NOERROR, and without a word nobody would know why no endpoint appears.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from config.meta import Named
from config.naming import shown
from config.resources.core import Service
from discovery.membership import ports_of
from discovery.registry.content import Content
from discovery.registry.registrations import port_owner, service_of
from discovery.registry.wire import SRV, to_labels

MOST_TOLD: Final = 1000
"""Names that are remembered; when they are so many, none is told of any more."""
ENDPOINT_LABELS: Final = 4
"""Of an SRV name, before the zone: port, protocol, Service and namespace."""

log = logging.getLogger(__name__)


class Meaning:
    """Looks at what is written into `content`."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._services: Mapping[Named, Service] = {}
        self._told: set[bytes] = set()

    def define(self, services: Mapping[Named, Service]) -> None:
        """These are the Services now."""
        self._services = services

    def changed(self, names: Iterable[bytes]) -> None:
        """These names were written, or are gone."""
        for name in names:
            if name in self._told or len(self._told) >= MOST_TOLD or not self._content.nodes.get(name):
                continue
            if problem := self._problem(name):
                self._told.add(name)
                log.warning("%s is stored, and means nothing: %s", shown(_text(name)), problem)

    def _problem(self, name: bytes) -> str:
        """Why no endpoint comes of it; empty: one may."""
        zone = self._content.origin
        if name == zone:
            return ""
        named = service_of(name, zone)
        if named is None:
            return f"an endpoint has SRV at _PORT._PROTO.SERVICE.NAMESPACE.{_text(zone)}, and its target is below that"
        service, labels = self._services.get(named), to_labels(name)
        if service is None or len(labels) - len(to_labels(zone)) != ENDPOINT_LABELS or not self._has(name, SRV):
            return ""
        owners = {port_owner(named, port, zone) for port in ports_of(service)}
        if name in owners:
            return ""
        return f"Service {named} has {', '.join(map(_text, sorted(owners))) or 'no port'}"

    def _has(self, name: bytes, kind: int) -> bool:
        return any(rrset.type == kind for rrset in self._content.nodes.get(name, ()))


def _text(name: bytes) -> str:
    return ".".join(label.decode("ascii", "backslashreplace") for label in to_labels(name))
