"""What a question finds: the seam between those who know names and the responder that answers."""

from __future__ import annotations

from typing import Protocol

import msgspec

from discovery.registry.content import Content, Node, RRset
from discovery.registry.render import Reason
from discovery.registry.transfer import Apex
from discovery.registry.wire import NS, SOA, Labels, to_wire


class Found(msgspec.Struct, frozen=True):
    """What is known of a name of ours; `node` is None if it does not exist."""

    node: Node | None
    apex: bytes
    """The zone that it belongs to."""
    soa: bytes
    """Data of that zone's SOA record."""
    reason: Reason | None = None
    """Why there is nothing."""
    depends: bytes = b""
    """Another name, as wire bytes, that says the same, and is told of when that changes; empty: none."""


class Names(Protocol):
    """Whoever knows names."""

    def find(self, labels: Labels) -> Found | None:
        """What is known of a name; None: it is not ours to know."""


class Written:
    """The names of a written zone."""

    def __init__(self, apex: Apex, content: Content) -> None:
        self._apex = apex
        self._content = content

    def find(self, labels: Labels) -> Found | None:
        """What was written of a name."""
        apex, content = self._apex, self._content
        try:
            name = to_wire(labels)
        except ValueError:
            return None
        if not content.within(name):
            return None
        soa = apex.soa(content.serial)
        node = content.nodes.get(name, ())
        if name == apex.origin:
            ns = apex.ns()
            made = (RRset(SOA, soa.ttl, (soa.data,)), RRset(NS, ns.ttl, (ns.data,)))
            node = (*made, *(rrset for rrset in node if rrset.type not in {SOA, NS}))
        return Found(node if node or content.exists(name) else None, apex.origin, soa.data)


class Joined:
    """Several who know names: the first one whose they are decides."""

    def __init__(self, *parts: Names) -> None:
        self._parts = parts

    def find(self, labels: Labels) -> Found | None:
        """What the first one knows to whom the name belongs."""
        for part in self._parts:
            found = part.find(labels)
            if found is not None:
                return found
        return None
