"""Who follows a copy here, and is told of its changes: those whose registration for that went through this server.

They are registered with the registry as all others are (see `targets`); what is kept here are those of them that came
this way, for as long as their leases, so that they are told by whom they ask.  No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from discovery.registry.content import Content, Draft, Node
from discovery.registry.keys import EVERYTHING
from discovery.registry.resolv_conf import Resolver
from discovery.registry.targets import notified
from discovery.registry.terms import granted, read_terms
from discovery.registry.update import UpdateError, decide, read_update
from discovery.registry.wire import NOERROR, Malformed, parse_message

MOST: Final = 1000
"""Followers; more hear of changes when they ask by themselves."""


class Audience:
    """The followers whose updates of the zone `origin` were carried out."""

    def __init__(self, origin: bytes, clock: Callable[[], float]) -> None:
        """`clock`: seconds that never go back."""
        self._content = Content(origin)
        self._until: dict[bytes, float] = {}
        self._clock = clock

    def __len__(self) -> int:
        return len(self._content.nodes)

    def carried(self, message: bytes) -> None:
        """A registry has carried out this UPDATE, of whatever zone."""
        try:
            parsed = parse_message(message)
            if parsed.question[0].lower() != self._content.origin:
                return
            update, terms = read_update(parsed, self._content.origin), read_terms(parsed)
        except (Malformed, UpdateError):
            return
        draft = Draft(self._content)
        if decide(draft, update, EVERYTHING) != NOERROR:
            return
        new = [name for name, node in draft.nodes.items() if node and name not in self._content.nodes]
        if len(self) + len(new) > MOST:
            return
        self._adopt(draft.nodes)
        if terms is not None:
            until, there = self._clock() + granted(terms).lease, self._content.nodes
            self._until.update((record.name, until) for record in update.added() if record.name in there)

    def targets(self, names: Collection[bytes]) -> set[Resolver]:
        """Who is to be told that these names of the written zone changed."""
        now = self._clock()
        gone = [name for name in self._content.nodes if self._until.get(name, 0.0) < now]
        self._adopt(dict.fromkeys(gone, ()))
        return set(notified(self._content, names))

    def _adopt(self, nodes: Mapping[bytes, Node]) -> None:
        self._content.adopt(nodes, self._content.serial)
        for name in nodes.keys() - self._content.nodes.keys():
            self._until.pop(name, None)
