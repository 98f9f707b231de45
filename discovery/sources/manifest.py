"""EndpointSlices and Endpoints of the manifests, as endpoints of Services (discovery.k8s.io/v1, core/v1).

They say what runs elsewhere, and are taken at their word: `ready` is what they say.  What Kubernetes leaves to
the reader is read as kube-proxy does: an absent `ready` means true, an absent `serving` means what `ready`
says; ports belong together by name and protocol, only the first address of an endpoint counts, and slices of
host names (FQDN) are left out.  If a Service has slices of both IP families, those of its first family count; of a
headless one, which is nothing but its DNS records, those of all families that it names.

Which Services: those without a selector, and those with one that no Deployment of the same manifests matches.
What ``kubectl get -o yaml`` prints of a cluster has selectors and slices, and must work as it is; but where
the Deployment is here too, its replicas are run here, and the slices tell of other ones.  (Should a
replica from any platform match all the same, the catalog lets the selector win.)  Endpoints count only for a
Service without slices: Kubernetes mirrors them into slices, so they say nothing more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from config.configset import ConfigSet
from config.meta import Named, matches
from config.resources.core import (
    SERVICE_NAME_LABEL,
    EndpointAddress,
    EndpointHints,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    ObjectReference,
    Service,
    ServicePort,
    SliceEndpoint,
)
from config.resources.workloads import Deployment
from discovery.endpoint import Endpoint, Hints
from discovery.membership import PORTLESS, PortEndpoints, distinct, ports_of


def endpoints(config_set: ConfigSet) -> Mapping[Named, PortEndpoints]:
    """All Services that have endpoints in the manifests.  See `by_service` for doing it in pieces."""
    return dict(by_service(config_set))


def by_service(config_set: ConfigSet) -> Iterator[tuple[Named, PortEndpoints]]:
    """The same one Service at a time, so that the caller can let others run in between."""
    slices = _slices_by_service(config_set.endpoint_slices.values())
    run_here = _templates_by_namespace(config_set.deployments.values())
    for name, service in config_set.services.items():
        if service.spec.type == "ExternalName" or _is_run_here(service, run_here[name.namespace]):
            continue
        if name in slices:
            yield name, of_slices(service, slices[name])
        elif name in config_set.endpoints:
            yield name, of_endpoints(service, config_set.endpoints[name])


def of_slices(service: Service, slices: Sequence[EndpointSlice]) -> PortEndpoints:
    """The endpoints of `service` that its slices list."""
    families = {_family(service, slices), *(service.spec.ip_families if service.headless else ())}
    counting = [each for each in slices if each.address_type in families]
    return {port.key: distinct(_on_port(port, counting)) for port in ports_of(service)}


def of_endpoints(service: Service, written: Endpoints) -> PortEndpoints:
    """The endpoints of `service` that its Endpoints object lists."""
    found: dict[str, tuple[Endpoint, ...]] = {}
    for port in ports_of(service):
        found[port.key] = distinct(
            _of_address(address, number, ready)
            for subset in written.subsets
            if (number := _number(port, subset.ports)) is not None
            for ready, addresses in ((True, subset.addresses), (False, subset.not_ready_addresses))
            for address in addresses
        )
    return found


def _slices_by_service(slices: Iterable[EndpointSlice]) -> dict[tuple[str, str], list[EndpointSlice]]:
    found: dict[tuple[str, str], list[EndpointSlice]] = {}
    for each in slices:
        metadata = each.metadata
        key = (metadata.namespace, metadata.labels.get(SERVICE_NAME_LABEL, ""))
        if key in found:
            found[key].append(each)
        else:
            found[key] = [each]
    return found


def _templates_by_namespace(deployments: Iterable[Deployment]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for each in deployments:
        found[each.metadata.namespace].append(each.spec.template.metadata.labels)
    return found


def _is_run_here(service: Service, templates: Iterable[dict[str, str]]) -> bool:
    selector = service.spec.selector
    return bool(selector) and any(matches(selector, labels) for labels in templates)


def _family(service: Service, slices: Sequence[EndpointSlice]) -> str:
    """The Service's first IP family of which there are slices."""
    present = {each.address_type for each in slices}
    primary = "IPv6" if ":" in service.spec.cluster_ip else "IPv4"
    return next((family for family in (*service.spec.ip_families, primary) if family in present), min(present))


def _number(port: ServicePort, offered: Iterable[EndpointPort]) -> int | None:
    """The port number that is offered for `port`: the one of the same name and protocol."""
    if port is PORTLESS:
        return PORTLESS.port
    for each in offered:
        if each.name == port.name and each.protocol == port.protocol:
            return each.port
    return None


def _on_port(port: ServicePort, slices: Iterable[EndpointSlice]) -> Iterator[Endpoint]:
    for each in slices:
        number = _number(port, each.ports)
        if number is not None and each.address_type != "FQDN":
            for endpoint in each.endpoints:
                yield _of_slice_endpoint(endpoint, number)


def _of_slice_endpoint(written: SliceEndpoint, port: int) -> Endpoint:
    conditions = written.conditions
    ready = conditions.ready is not False
    return Endpoint(
        address=written.addresses[0],
        port=port,
        ready=ready,
        serving=ready if conditions.serving is None else conditions.serving,
        terminating=conditions.terminating is True,
        replica_id=_pod(written.target_ref),
        node=written.node_name,
        zone=written.zone,
        hints=_hints(written.hints) if written.hints else None,
        hostname=written.hostname,
    )


def _hints(written: EndpointHints) -> Hints | None:
    zones, nodes = (tuple(each.name for each in places) for places in (written.for_zones, written.for_nodes))
    return Hints(zones, nodes) if zones or nodes else None


def _of_address(written: EndpointAddress, port: int, ready: bool) -> Endpoint:
    return Endpoint(
        address=written.ip,
        port=port,
        ready=ready,
        serving=ready,
        replica_id=_pod(written.target_ref),
        node=written.node_name,
        hostname=written.hostname,
    )


def _pod(reference: ObjectReference | None) -> str:
    return reference.name if reference is not None and reference.kind == "Pod" else ""
