"""The entrance: all Ingresses together become one listener, one Matcher, and a status for each of them.

There is a listener when an Ingress is to be served, at the address that NodeConfig gives it; without one nothing
is bound.  What several Ingresses claim is the older one's (``creationTimestamp``, then namespace and name).
Only Ingresses that changed, or whose Backends did, are compiled again, and only then is the Matcher made anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from config.addresses import parse_host_port
from config.configset import ConfigSet
from config.meta import Named, ObjectKey, seniority
from mesh.backend import Backend
from mesh.ingress_class import default_classes, verdict
from mesh.ingress_part import IngressPart, Resolver, part_steps
from mesh.matcher import Matcher, matcher_steps
from mesh.plan import BackendKey, BackendPlan
from mesh.rules import Loss, Rule
from mesh.status import ObjectStatus, PortStatus, State
from mesh.table import Listener, ListenerKey, Route

UNMET: Final = BackendKey("", "ingress", "http")
"""The Backend that has no endpoints, and counts requests that meet no rule; no Service is without a namespace."""


@dataclass(frozen=True, slots=True)
class Entrance:
    parts: Mapping[Named, IngressPart] = field(default_factory=dict)
    """The older ones first."""
    matcher: Matcher[Route] | None = None
    """None: no Ingress is served."""
    listener: Listener | None = None

    def own(self) -> Iterator[tuple[BackendPlan, Backend]]:
        """The Backends it leads to that are no Service port's; some more than once."""
        for part in self.parts.values():
            yield from part.own
        if self.listener is not None:
            unmet = self.listener.route.backend
            yield unmet.plan, unmet


def entrance_steps(config_set: ConfigSet, previous: Entrance, resolver: Resolver) -> Generator[None, None, Entrance]:
    """All Ingresses, compiled; what is as in `previous` is taken over.  Yields at least once an Ingress."""
    parts: dict[Named, IngressPart] = {}
    defaults = default_classes(config_set.ingress_classes)
    ingresses = config_set.ingresses
    for name in sorted(ingresses, key=lambda name: seniority(ingresses[name].metadata)):
        ingress = ingresses[name]
        ruling = verdict(ingress, config_set.ingress_classes, defaults)
        before = previous.parts.get(name)
        same = before is not None and before.holds(ingress, ruling, resolver.services)
        parts[name] = before if before and same else (yield from part_steps(ingress, ruling, resolver))
        yield
    if not any(part.verdict.served for part in parts.values()):
        return Entrance(parts)
    matcher = previous.matcher
    if matcher is None or list(map(id, parts.values())) != list(map(id, previous.parts.values())):
        matcher = yield from matcher_steps(_rules(parts))
    return Entrance(parts, matcher, _listener(config_set, matcher, previous.listener, resolver))


def _rules(parts: Mapping[Named, IngressPart]) -> Iterator[Rule[Route]]:
    """All rules; an Ingress that is about no host in particular is first in answering what meets none."""
    for part in parts.values():
        yield from part.rules
    for part in sorted(parts.values(), key=lambda part: part.has_hosts):
        if part.fallback:
            yield part.fallback


def _listener(config_set: ConfigSet, matcher: Matcher[Route], before: Listener | None, resolver: Resolver) -> Listener:
    node = config_set.node
    made = Listener(
        key=ListenerKey(*parse_host_port(node.ingress.http)),
        entry="Ingress",
        protocol="http",
        route=Route(resolver.own(BackendPlan(UNMET, ())).backend),
        http_required=True,
        limit=node.connections.per_listener,
        routes=matcher,
    )
    return before if before == made else made


def ingress_statuses(entrance: Entrance, taken_by: str) -> Iterator[tuple[ObjectKey, ObjectStatus]]:
    """What became of each Ingress; `taken_by`: who has the listener's address, if it is somebody else."""
    losses: dict[str, list[Loss[Route]]] = defaultdict(list)
    for loss in entrance.matcher.losses if entrance.matcher else ():
        losses[loss.loser.owner].append(loss)
    for name, part in entrance.parts.items():
        key = ObjectKey("Ingress", name.namespace, name.name)
        if not part.verdict.served:
            yield key, ObjectStatus("pending", (part.verdict.remark,))
        elif taken_by:
            yield key, ObjectStatus("pending", (taken_by,))
        else:
            yield key, _status(part, losses[part.owner], entrance)


def _status(part: IngressPart, losses: list[Loss[Route]], entrance: Entrance) -> ObjectStatus:
    lost = [_told(loss) for loss in losses if loss.loser is not part.fallback or not part.has_hosts]
    reasons = (*part.problems, *lost)
    all_lost = len(losses) == len(part.rules) + bool(part.fallback)
    remarks = (part.verdict.remark,) if part.verdict.remark else ()
    listens = (entrance.listener.key,) if entrance.listener else ()
    state: State = "pending" if all_lost else "degraded" if reasons else "accepted"
    return ObjectStatus(state, remarks + reasons, (PortStatus("http", "http", listens),))


def _told(loss: Loss[Route]) -> str:
    if loss.winner.owner == loss.loser.owner:
        return f"{loss.loser} is said twice: {loss.winner} counts"
    return f"{loss.loser} belongs to {loss.winner.owner}"
