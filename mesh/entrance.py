"""The entrance: all Ingresses together become one Matcher, its listeners, and a status for each of them.

There is a listener when an Ingress is to be served, at the address that NodeConfig gives it, and one that speaks
TLS when an Ingress asks for that; else nothing is bound.  What several Ingresses claim is the older one's
(``creationTimestamp``, then namespace and name).
Only Ingresses that changed, or whose Backends did, are compiled again, and only then is the Matcher made anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replace_part
from typing import Final

from msgspec.structs import replace

from config.addresses import parse_host_port
from config.configset import ConfigSet
from config.ingress_class import default_classes, verdict
from config.meta import Named, ObjectKey, seniority
from mesh.backend import Backend
from mesh.ingress_part import IngressPart, Resolver, part_steps
from mesh.matcher import Matcher, matcher_steps
from mesh.plan import BackendKey, BackendPlan
from mesh.policing import Policing
from mesh.rules import Loss, Rule
from mesh.service_doors import networks
from mesh.status import CertificateStatus, ObjectStatus, PortStatus, State
from mesh.steps import gather
from mesh.table import Listener, ListenerKey, Route
from mesh.tls.part import NO_TLS, Termination, termination_steps

UNMET: Final = BackendKey("", "ingress", "http")
"""The Backend that has no endpoints, and counts requests that meet no rule; no Service is without a namespace."""
UNMET_SECURELY: Final = BackendKey("", "ingress", "https")
"""The same within TLS; it counts handshakes too."""


@dataclass(frozen=True, slots=True)
class Entrance:
    parts: Mapping[Named, IngressPart] = field(default_factory=dict)
    """The older ones first."""
    matcher: Matcher[Route] | None = None
    """None: no Ingress is served."""
    listener: Listener | None = None
    termination: Termination = NO_TLS
    secure: Listener | None = None
    """Where https is spoken; None: no Ingress asks for it."""

    def own(self) -> Iterator[tuple[BackendPlan, Backend]]:
        """The Backends it leads to that are no Service port's; some more than once."""
        for part in self.parts.values():
            yield from part.own
        for listener in (self.listener, self.secure):
            if listener is not None:
                unmet = listener.route.backend
                yield unmet.plan, unmet


def entrance_steps(
    config_set: ConfigSet, previous: Entrance, resolver: Resolver, policing: Policing
) -> Generator[None, None, Entrance]:
    """All Ingresses, compiled; what is as in `previous` is taken over.  Yields at least once an Ingress."""
    parts: dict[Named, IngressPart] = {}
    defaults = default_classes(config_set.ingress_classes)
    ingresses = config_set.ingresses
    for name in sorted(ingresses, key=lambda name: seniority(ingresses[name].metadata)):
        ingress = ingresses[name]
        ruling = verdict(ingress, config_set.ingress_classes, defaults)
        before = previous.parts.get(name)
        same = before is not None and before.holds(ingress, ruling, resolver.services)
        if before and same and before.basis == policing.basis(name, before.services):
            parts[name] = before
        else:
            made = yield from part_steps(ingress, ruling, resolver)
            parts[name] = yield from _policed(name, made, resolver, policing)
        yield
    if not any(part.verdict.served for part in parts.values()):
        return Entrance(parts)
    matcher = previous.matcher
    if matcher is None or list(map(id, parts.values())) != list(map(id, previous.parts.values())):
        matcher = yield from matcher_steps(_rules(parts))
    termination = yield from termination_steps(config_set, parts, previous.termination)
    plain = _listener(config_set, matcher, previous.listener, resolver)
    return Entrance(
        parts, matcher, plain, termination, _secure(plain, config_set, termination, previous.secure, resolver)
    )


def _policed(
    name: Named, part: IngressPart, resolver: Resolver, policing: Policing
) -> Generator[None, None, IngressPart]:
    """The part, its routes with what policies say."""
    basis = policing.basis(name, part.services)
    if not basis.policies:
        return replace_part(part, basis=basis)
    rules = yield from gather(policing.rule(name, rule) for rule in part.rules)
    fallback = policing.rule(name, part.fallback) if part.fallback else None
    named = set(policing.named(basis.policies))
    own = tuple(found for key, found in policing.own.items() if Named(key.namespace, key.service) in named)
    services = {**part.services, **{each: resolver.services.get(each) for each in named}}
    basis = policing.basis(name, services)
    return replace_part(
        part, rules=tuple(rules), fallback=fallback, own=(*part.own, *own), services=services, basis=basis
    )


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
        introduced_by=networks(node.ingress.proxy_protocol.accept_from),
        routes=matcher,
    )
    return before if before == made else made


def _secure(
    plain: Listener, config_set: ConfigSet, termination: Termination, before: Listener | None, resolver: Resolver
) -> Listener | None:
    """The listener that is like the plain one, within TLS."""
    if termination.names is None:
        return None
    made = replace(
        plain,
        key=ListenerKey(*parse_host_port(config_set.node.ingress.https)),
        protocol="https",
        route=Route(resolver.own(BackendPlan(UNMET_SECURELY, ())).backend),
        tls=termination.names,
    )
    return before if before == made else made


def ingress_statuses(
    entrance: Entrance, taken_by: str, secure_taken_by: str = ""
) -> Iterator[tuple[ObjectKey, ObjectStatus]]:
    """What became of each Ingress; `taken_by`: who has a listener's address, if it is somebody else."""
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
            yield key, _status(part, losses[part.owner], entrance, secure_taken_by)


def _status(part: IngressPart, losses: list[Loss[Route]], entrance: Entrance, taken_by: str) -> ObjectStatus:
    lost = [_told(loss) for loss in losses if loss.loser is not part.fallback or not part.has_hosts]
    secured = bool(part.ingress.spec.tls)
    untold = (f"spec.tls: {taken_by}",) if secured and taken_by else ()
    name = Named(part.ingress.metadata.namespace, part.ingress.metadata.name)
    reasons = (*part.problems, *lost, *entrance.termination.problems.get(name, ()), *untold)
    all_lost = len(losses) == len(part.rules) + bool(part.fallback)
    remarks = (part.verdict.remark,) if part.verdict.remark else ()
    listens = (entrance.listener.key,) if entrance.listener else ()
    state: State = "pending" if all_lost else "degraded" if reasons else "accepted"
    ports = [PortStatus("http", "http", listens)]
    if secured and entrance.secure and not taken_by:
        ports.append(PortStatus("https", "https", (entrance.secure.key,)))
    shown = tuple(
        CertificateStatus(each.secret.name, each.names, each.not_after)
        for each in entrance.termination.shown.get(name, ())
    )
    return ObjectStatus(state, remarks + reasons, tuple(ports), shown)


def _told(loss: Loss[Route]) -> str:
    if loss.winner.owner == loss.loser.owner:
        return f"{loss.loser} is said twice: {loss.winner} counts"
    return f"{loss.loser} belongs to {loss.winner.owner}"
