"""What only one object can have: addresses, node ports, hosts with paths, targets.

Who had an address, a port or a target in force before keeps it, as in Kubernetes, whose API server refuses the
newcomer.  Else the older object does (``creationTimestamp``, then namespace and name), as is usual between Ingresses.
The fault stands at the other one and names both.  Of Services those that come from elsewhere give way to those that
are written here, whatever was before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from config.addresses import Address, parse_address
from config.configset import ConfigSet
from config.errors import Fault
from config.ingress_class import default_classes, verdict
from config.meta import Named, ObjectKey, seniority
from config.naming import shown
from config.resources.core import Service
from config.resources.networking import Ingress
from config.settings import NodeConfigSpec
from config.validation.doors import Place, external_addresses, node_doors, service_doors
from config.validation.index import node_key
from config.validation.ingresses import CLASS_FIELDS, knows_class
from config.validation.metadata import HasMetadata
from config.validation.references import port_of_section
from config.validation.report import ObjectReport, Report, problem_of

Object = TypeVar("Object", bound=HasMetadata)


def check_conflicts(
    config_set: ConfigSet, report: Report, beneath: Collection[str] = (), before: ConfigSet | None = None
) -> None:
    """All claims of several objects on the same thing.

    `beneath`: the files whose Services give way to others; `before`: what was in force, with all addresses.
    """
    _check_services(config_set, report, beneath, before or ConfigSet())
    _check_node_doors(config_set, report, beneath)
    _check_paths(config_set, report)
    _check_default_classes(config_set, report)
    _check_policies(config_set, report, before or ConfigSet())
    _check_autoscalers(config_set, report, before or ConfigSet())


def service_conflicts(config_set: ConfigSet, beneath: Collection[str], before: ConfigSet) -> tuple[Fault, ...]:
    """The same of Services alone, of a set whose objects were not all written together."""
    report = _report_of(config_set)
    _check_services(config_set, report, beneath, before)
    return tuple(report.faults)


def _report_of(config_set: ConfigSet) -> Report:
    return Report(lambda key, _: config_set.sources[key])


def by_age(kind: str, objects: Mapping[Named, Object]) -> Iterator[tuple[ObjectKey, Object]]:
    """Objects of one kind, the one that wins a conflict first."""
    for named in sorted(objects, key=lambda named: seniority(objects[named].metadata)):
        yield ObjectKey(kind, *named), objects[named]


class _Claims:
    """Who asked first, and at which of its fields."""

    def __init__(self) -> None:
        self._holders: dict[Hashable, tuple[ObjectKey, str]] = {}

    def claim(self, what: Hashable, path: str, about: ObjectReport) -> str | None:
        """None if `what` was free or is the object's own; else who has it and where that is written."""
        holder, where = self._holders.setdefault(what, (about.key, path))
        return None if holder == about.key else about.elsewhere(holder, where)


class _Claim(NamedTuple):
    what: Hashable
    about: ObjectReport
    path: str
    words: tuple[str, str]
    """What is said to who comes second, before and after the holder."""
    given: tuple[str, ...] = ()

    @property
    def mark(self) -> tuple[ObjectKey, Hashable]:
        """What it has in common with the same claim of before."""
        return self.about.key, self.what


def _settle(claims: Iterable[_Claim], before: Iterable[_Claim], is_last: Callable[[ObjectKey], bool]) -> None:
    """Give everything to the first who asks, those being first who had it `before`, and some the last.

    One field may ask for several things; what it is refused first is said.
    """
    had, holders = {claim.mark for claim in before}, _Claims()
    refused: set[tuple[ObjectKey, str]] = set()
    for claim in sorted(claims, key=lambda claim: (is_last(claim.about.key), claim.mark not in had)):
        field = claim.about.key, claim.path
        if field not in refused and (holder := holders.claim(claim.what, claim.path, claim.about)):
            first, second = claim.words
            claim.about.error(claim.path, f"{first} {holder}{second}", *claim.given)
            refused.add(field)


def _is_never_last(_: ObjectKey) -> bool:
    return False


def _check_services(config_set: ConfigSet, report: Report, beneath: Collection[str], before: ConfigSet) -> None:
    node = _known_node(config_set, report)  # of today for both: who had a port at all addresses had it at new ones
    reach_is_known = report.of(node_key(config_set)).knows("spec.serviceRange.reach")
    external = external_addresses(config_set) if reach_is_known else frozenset()
    had = _service_claims(before, _report_of(before), node, external)
    claims = _service_claims(_with_addresses(config_set, before) if external else config_set, report, node, external)
    _settle(claims, had, lambda key: config_set.sources[key].file in beneath)


def _with_addresses(config_set: ConfigSet, before: ConfigSet) -> ConfigSet:
    """With the addresses that Services had and leave open: they will be given them again."""
    services = dict(config_set.services)
    for named, service in config_set.services.items():
        had = before.services.get(named)
        if had and had.addresses and not service.spec.cluster_ip and service.spec.type != "ExternalName":
            services[named] = replace(service, spec=replace(service.spec, cluster_ip=had.addresses[0]))
    return replace(config_set, services=services)


def _service_claims(
    config_set: ConfigSet, report: Report, node: NodeConfigSpec, external: Collection[Address]
) -> Iterator[_Claim]:
    """Of the oldest Service first."""
    another = " too: leave it out to be given another"
    for key, service in by_age("Service", config_set.services):
        about = report.of(key)
        for path, text in _cluster_ips(service):
            yield _Claim(parse_address(text), about, path, (f"{text} is the address of", another))
        for path, number in _node_ports(service):
            yield _Claim(number, about, path, (f"{number} is a node port of", another))
        for door in service_doors(service, node, external):
            if about.knows(*door.given):
                words = (f"{door.place} belongs to", f": {door.remedy}")
                yield _Claim(door.place, about, door.path, words, door.given)


def _known_node(config_set: ConfigSet, report: Report) -> NodeConfigSpec:
    """The NodeConfig, without addresses if it is not known which ones it has."""
    node = config_set.node
    is_known = report.of(node_key(config_set)).knows("spec.nodeAddresses")
    return node if is_known else replace(node, node_addresses=())


def _check_node_doors(config_set: ConfigSet, report: Report, beneath: Collection[str]) -> None:
    """Services that ask for what the node itself listens at: a warning, for all else of them is served.

    What comes from elsewhere is for other nodes too, and where it cannot be served is in the status.
    """
    named = node_key(config_set)
    about_node = report.of(named)
    own: dict[Place, str] = {}
    for path, place in node_doors(config_set):
        if about_node.knows(path):
            own[place] = f"{path} of {about_node.elsewhere(named, path) if named.name else 'the default NodeConfig'}"
    node = _known_node(config_set, report)
    for key, service in by_age("Service", config_set.services):
        if config_set.sources[key].file in beneath:
            continue
        for door in service_doors(service, node, ()):
            if where := own.get(door.place):
                message = f"{door.place} is {where} too: choose another for one of them"
                report.of(key).warning(door.path, message, *door.given)


def _cluster_ips(service: Service) -> Iterator[tuple[str, str]]:
    """Those that can be read."""
    spec = service.spec
    named = [("spec.clusterIP", spec.cluster_ip)]
    named += ((f"spec.clusterIPs[{i}]", address) for i, address in enumerate(spec.cluster_ips[1:], 1))
    return ((path, address) for path, address in named if problem_of(parse_address, address) is None)


def _node_ports(service: Service) -> Iterator[tuple[str, int]]:
    for i, port in enumerate(service.spec.ports):
        if port.node_port:
            yield f"spec.ports[{i}].nodePort", port.node_port
    if service.spec.health_check_node_port:
        yield "spec.healthCheckNodePort", service.spec.health_check_node_port


def _check_paths(config_set: ConfigSet, report: Report) -> None:
    """All that are served here share one entrance, whatever their classes are; so do those of another class each."""
    claims, classes = _Claims(), config_set.ingress_classes
    defaults = default_classes(classes)
    for key, ingress in by_age("Ingress", config_set.ingresses):
        if not knows_class(key, ingress, classes, report):
            continue
        about = report.of(key)
        entrance = "" if verdict(ingress, classes, defaults).served else f"of class {ingress.class_name}"
        for path, what, words in (*_defaults(ingress), *_paths(ingress, about)):
            if holder := claims.claim((entrance, what), path, about):
                about.warning(path, f"{words} belongs to {holder}, which answers")


def _defaults(ingress: Ingress) -> Iterator[tuple[str, Hashable, str]]:
    """A default backend is for the hosts of its Ingress, or for all if there are none."""
    if ingress.spec.default_backend:
        hosts = dict.fromkeys(rule.host for rule in ingress.spec.rules if rule.host)
        for host in hosts or ("",):
            yield "spec.defaultBackend", host, f"what no path of host {host or '*'} matches"


def _paths(ingress: Ingress, about: ObjectReport) -> Iterator[tuple[str, Hashable, str]]:
    for i, rule in enumerate(ingress.spec.rules):
        for p, path in enumerate(rule.http.paths if rule.http else ()):
            where = f"spec.rules[{i}].http.paths[{p}]"
            what = (rule.host, path.path or "/", path.path_type == "Exact")
            if about.knows(f"spec.rules[{i}].host", f"{where}.path", f"{where}.pathType"):
                yield where, what, f"{rule.host or '*'}{path.path or '/'}"


def _check_default_classes(config_set: ConfigSet, report: Report) -> None:
    defaults = [key for key, item in by_age("IngressClass", config_set.ingress_classes) if item.is_default]
    if len(defaults) < 2:
        return
    for key, ingress in by_age("Ingress", config_set.ingresses):
        about = report.of(key)
        if not ingress.class_name:
            both = " and ".join(about.elsewhere(each) for each in defaults)
            message = f"is needed, because there are several default classes: {both}"
            about.error("spec.ingressClassName", message, *CLASS_FIELDS)


def _check_policies(config_set: ConfigSet, report: Report, before: ConfigSet) -> None:
    _settle(_policy_claims(config_set, report), _policy_claims(before, _report_of(before)), _is_never_last)


def _policy_claims(config_set: ConfigSet, report: Report) -> Iterator[_Claim]:
    for key, policy in by_age("TrafficPolicy", config_set.policies):
        about, target = report.of(key), policy.spec.target_ref
        if not about.knows(*(f"spec.targetRef.{field}" for field in ("kind", "name", "sectionName"))):
            continue
        section = target.section_name
        service = config_set.services.get(Named(key.namespace, target.name))
        if target.kind == "Service" and section and service and (port := port_of_section(service, section)):
            section = port.key
        words = f"{target.kind} {shown(target.name)}" + (f", port {section}" if section else "")
        what = (key.namespace, target.kind, target.name, section)
        yield _Claim(what, about, "spec.targetRef", (f"{words} has the policy", " already: join the two"))


def _check_autoscalers(config_set: ConfigSet, report: Report, before: ConfigSet) -> None:
    """What is scaled by a HorizontalPodAutoscaler is not scaled by a policy, however old that is."""
    had = _scaling_claims(before, _report_of(before))
    _settle(_scaling_claims(config_set, report), had, lambda key: key.kind == "TrafficPolicy")


def _scaling_claims(config_set: ConfigSet, report: Report) -> Iterator[_Claim]:
    for key, item in by_age("HorizontalPodAutoscaler", config_set.autoscalers):
        about, target = report.of(key), item.spec.scale_target_ref
        if about.knows("spec.scaleTargetRef.kind", "spec.scaleTargetRef.name"):
            words = (f"{target.kind} {shown(target.name)} is scaled by", " already")
            what = (key.namespace, target.kind, target.name)
            yield _Claim(what, about, "spec.scaleTargetRef", words)
    for key, policy in by_age("TrafficPolicy", config_set.policies):
        about = report.of(key)
        if not about.knows("spec.targetRef", "spec.scaling"):
            continue
        found = config_set.scaled_by(policy)
        if len(found) > 1:
            service = shown(policy.spec.target_ref.name)
            message = f"Service {service} selects {len(found)} Deployments: say which with scaleTargetRef"
            about.error("spec.scaling", message, "spec.scaling.scaleTargetRef")
        for kind, name in found:
            words = (f"{kind} {shown(name.name)} is scaled by", " already: remove one")
            yield _Claim((name.namespace, kind, name.name), about, "spec.scaling", words)
