"""ClusterIPs, node ports and local ports for Services that ask for one: the same every time, as far as can be.

What a Service had in force before, and still states or still leaves open, stays its own.  Else what a manifest states
comes first, then what a registry gave a Service that it stores, which stands in an annotation, so that all nodes give
it the same; then what was remembered, then a stable hash of the name with the next free number after it.  As in
Kubernetes (KEP 3070 for addresses, KEP 3668 for node ports) the lower band of a range is left to
explicit choices until everything above it is taken, so that the two rarely meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from msgspec.structs import replace

from config.addresses import Network, assignable, parse_service_range
from config.configset import ConfigSet
from config.errors import Fault
from config.external_names import with_ports
from config.meta import Named, ObjectKey, Source, seniority
from config.resources.core import GIVEN, Service, ServiceSpec
from config.settings import LOCAL_PORTS, NODE_PORTS
from discovery.assignments import Assignments
from discovery.local_ports import give_local_ports, port_name
from discovery.number_pool import NumberPool

LARGEST_POOL = 1 << 20
"""Addresses of a wide IPv6 range that are given out; explicit ones may lie beyond."""
NODE_PORT_BAND = 86
_HEALTH = -1


class Allocated(NamedTuple):
    """`config_set` holds every Service with its address and node ports, less those that `faults` rule out."""

    config_set: ConfigSet
    assignments: Assignments
    faults: tuple[Fault, ...]


def allocate(config_set: ConfigSet, remembered: Assignments, before: ConfigSet | None = None) -> Allocated:
    """Fill in clusterIP, nodePort and healthCheckNodePort of all Services that need one and have none; with
    ``reach: ports`` a port of 127.0.0.1 too.  ExternalName Services without ports are given those that are asked for.

    `before`: what was in force, with all numbers.  A Service whose explicit number another one has, or for which
    nothing is left, is an error and is left out.
    `assignments` is what to remember: all that was given out here, for the Services that exist now.
    """
    node = config_set.node.service_range
    try:
        network = parse_service_range(node.cidr, node.reach)
    except ValueError as problem:
        return Allocated(config_set, remembered, (_range_fault(config_set, str(problem)),))
    return _Allocation(config_set, network).run(remembered, before or ConfigSet())


class _Wish(NamedTuple):
    """What a Service wants to be given."""

    named: Named
    text: str
    service: Service
    address: bool
    ports: tuple[tuple[int, str], ...]
    """Positions of the ports that want a node port, and what these are remembered by; `_HEALTH`: the health check."""

    @classmethod
    def of(cls, named: Named, service: Service, has_address: bool) -> _Wish:
        spec = service.spec
        wants_address = not has_address and spec.cluster_ip != "None" and spec.type != "ExternalName"
        return cls(named, str(named), service, wants_address, tuple(_ports_without_number(named, spec)))


class _Allocation:
    """One run over all Services: explicit numbers, remembered ones, new ones."""

    def __init__(self, config_set: ConfigSet, network: Network) -> None:
        self._config_set = config_set
        self._network = network
        self._address_type = type(network.network_address)
        self._usable = assignable(network)
        pool = range(self._usable.start, min(self._usable.stop, self._usable.start + LARGEST_POOL))
        self._addresses = NumberPool(pool, address_band(network))
        self._node_ports = NumberPool(NODE_PORTS, NODE_PORT_BAND)
        self._services = config_set.services | with_ports(config_set)
        self._cluster_ips: dict[str, str] = {}
        self._ports: dict[str, int] = {}
        self._faults: list[Fault] = []

    def run(self, remembered: Assignments, before: ConfigSet) -> Allocated:
        ordered = sorted(self._services.items(), key=lambda item: seniority(item[1].metadata))
        standing = [(*item, before.services[item[0]]) for item in ordered if item[0] in before.services]
        for named, service, previous in standing:
            self._hold_stated_again(named, service, previous)
        for named, service, previous in standing:
            self._hold_given_again(_Wish.of(named, service, bool(self._stated(service))), previous, remembered)
        wishes = [wish for named, service in ordered if (wish := self._hold_explicit(named, service))]
        for wish in wishes:
            self._hold_address(wish, wish.service.metadata.annotations.get(GIVEN, ""))
        for wish in wishes:
            self._hold_remembered(wish, remembered)
        for wish in wishes:
            self._fulfil(wish)
        local = self._give_local_ports(remembered)
        return Allocated(self._result(), Assignments(self._cluster_ips, self._ports, local), tuple(self._faults))

    def _give_local_ports(self, remembered: Assignments) -> dict[str, int]:
        if self._config_set.node.service_range.reach != "ports":
            return {}
        services, given, left_out = give_local_ports(self._services, remembered.local_ports)
        for named in left_out:
            words = f"every port of 127.0.0.1 from {LOCAL_PORTS[0]} to {LOCAL_PORTS[-1]} is taken: use fewer Services"
            self._refuse(named, "spec.ports", words)
        self._services = services
        return given

    def _hold_stated_again(self, named: Named, service: Service, previous: Service) -> None:
        address = self._stated(service)
        if address and address == self._stated(previous):
            self._addresses.hold(self._address_in_range(address), named)
        for number in _stated_ports(service.spec) & _stated_ports(previous.spec):
            self._node_ports.hold(number, named)

    def _hold_given_again(self, wish: _Wish, previous: Service, remembered: Assignments) -> None:
        text = wish.service.metadata.annotations.get(GIVEN, "") or remembered.cluster_ips.get(wish.text, "")
        if self._address_in_range(text) == self._address_in_range(self._stated(previous)):
            self._hold_address(wish, text)
        had = _stated_ports(previous.spec)
        for _, where in wish.ports:
            if remembered.node_ports.get(where) in had:
                self._hold_port(wish, where, remembered)

    def _hold_explicit(self, named: Named, service: Service) -> _Wish | None:
        """Reserve what the manifest states; what the Service wants beyond that, if anything."""
        spec = service.spec
        if address := self._stated(service):
            path = "spec.clusterIP" if address == spec.cluster_ip else "spec.clusterIPs"
            self._hold(self._addresses, self._address_in_range(address), address, named, path)
            if service.exported and spec.cluster_ips[1:] and named in self._services:
                spec = replace(spec, cluster_ip=address, cluster_ips=(address,))  # the other one is another cluster's
                self._services[named] = service = replace(service, spec=spec)
        for i, port in enumerate(spec.ports):
            if port.node_port:
                path = f"spec.ports[{i}].nodePort"
                self._hold(self._node_ports, port.node_port, str(port.node_port), named, path)
        if number := spec.health_check_node_port:
            self._hold(self._node_ports, number, str(number), named, "spec.healthCheckNodePort")
        wish = _Wish.of(named, service, bool(address))
        return wish if named in self._services and (wish.address or wish.ports) else None

    def _hold(self, pool: NumberPool, number: int, text: str, named: Named, path: str) -> None:
        if holder := pool.hold(number, named):
            other = ObjectKey("Service", *holder)
            where = self._config_set.sources.get(other)
            self._refuse(named, path, f"{text} belongs to {other}" + (f" ({where})" if where else ""))

    def _hold_address(self, wish: _Wish, text: str) -> None:
        """Give it this address, if it has none, wants one, and nobody else has this one."""
        if wish.address and text and wish.text not in self._cluster_ips:
            number = self._address_in_range(text)
            if number and self._addresses.hold_free(number, wish.named):
                self._cluster_ips[wish.text] = str(self._address_type(number))

    def _hold_remembered(self, wish: _Wish, remembered: Assignments) -> None:
        self._hold_address(wish, remembered.cluster_ips.get(wish.text, ""))
        for _, where in wish.ports:
            self._hold_port(wish, where, remembered)

    def _hold_port(self, wish: _Wish, where: str, remembered: Assignments) -> None:
        port = remembered.node_ports.get(where, 0)
        if port in NODE_PORTS and self._node_ports.hold_free(port, wish.named):
            self._ports[where] = port

    def _fulfil(self, wish: _Wish) -> None:
        """Replace the Service by one that has all it wants, or leave it out when something is used up."""
        spec = wish.service.spec
        if wish.address:
            address = self._cluster_ips.get(wish.text) or self._new_address(wish)
            if not address:
                return
            spec = replace(spec, cluster_ip=address, cluster_ips=(address,))
        if wish.ports:
            numbers = [self._ports.get(where) or self._new_node_port(where, wish) for _, where in wish.ports]
            if 0 in numbers:
                return
            spec = _with_node_ports(spec, {i: number for (i, _), number in zip(wish.ports, numbers, strict=True)})
        self._services[wish.named] = replace(wish.service, spec=spec)

    def _new_address(self, wish: _Wish) -> str:
        number = self._addresses.pick(wish.text, wish.named)
        if number is None:
            words = f"every address of the service range {self._network} is taken: enlarge it in the NodeConfig"
            self._refuse(wish.named, "spec.clusterIP", words)
            return ""
        address = self._cluster_ips[wish.text] = str(self._address_type(number))
        return address

    def _new_node_port(self, where: str, wish: _Wish) -> int:
        number = self._node_ports.pick(where, wish.named)
        if number is None:
            words = f"every node port of {NODE_PORTS[0]}-{NODE_PORTS[-1]} is taken: use fewer Services with node ports"
            self._refuse(wish.named, "spec.ports", words)
            return 0
        self._ports[where] = number
        return number

    def _stated(self, service: Service) -> str:
        """The address of the range that a Service states; it may state one of another family too."""
        return next((text for text in service.addresses if self._address_in_range(text)), "")

    def _address_in_range(self, text: str) -> int:
        """The address as a number; 0 for none, and for one that another cluster's range gave out."""
        if not text or text == "None":
            return 0
        try:
            address = ip_address(text)
        except ValueError:
            return 0
        return int(address) if address.version == self._network.version and int(address) in self._usable else 0

    def _refuse(self, named: Named, path: str, message: str) -> None:
        self._services.pop(named, None)
        key = ObjectKey("Service", *named)
        self._faults.append(Fault("error", self._config_set.sources.get(key, Source("", 1, 1)), message, key, path))

    def _result(self) -> ConfigSet:
        before, after = self._config_set.services, self._services
        if len(after) == len(before) and all(after[named] is service for named, service in before.items()):
            return self._config_set
        return replace(self._config_set, services=after)


def _stated_ports(spec: ServiceSpec) -> set[int]:
    return {*(port.node_port for port in spec.ports), spec.health_check_node_port} - {0}


def _ports_without_number(named: Named, spec: ServiceSpec) -> Iterator[tuple[int, str]]:
    if spec.type == "NodePort" or (spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports):
        for i, port in enumerate(spec.ports):
            if not port.node_port:
                yield i, port_name(named, port)
    if spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local" and not spec.health_check_node_port:
        yield _HEALTH, f"{named}/healthCheckNodePort"


def _with_node_ports(spec: ServiceSpec, numbers: Mapping[int, int]) -> ServiceSpec:
    """`numbers` by the positions of the ports."""
    ports = tuple(replace(port, node_port=numbers.get(i, port.node_port)) for i, port in enumerate(spec.ports))
    return replace(spec, ports=ports, health_check_node_port=numbers.get(_HEALTH, spec.health_check_node_port))


def address_band(network: Network) -> int:
    """How many addresses at the beginning of a range are left to explicit choices (KEP 3070)."""
    size = network.num_addresses
    return 0 if size <= 16 else min(max(16, size // 16), 256)


def _range_fault(config_set: ConfigSet, problem: str) -> Fault:
    key = next((key for key in config_set.sources if key.kind == "NodeConfig"), ObjectKey("NodeConfig", "", ""))
    source = config_set.sources.get(key, Source("", 1, 1))
    return Fault("error", source, problem, key, "spec.serviceRange.cidr")
