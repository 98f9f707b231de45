"""Endpoints as records of the written zone and back, as pure functions (RFC 2782, RFC 6763 section 6).

``_PORT._PROTO.S.N.endpoints.Z`` has an SRV record for each endpoint of a Service port: tier, weight, port, target.  The
target ``H.S.N.endpoints.Z`` has the address and a TXT record, ``key=value`` strings that say what readiness and
EndpointSlice conditions say.  PORT is the port's name, else its number.  What others wrote by hand may lack the TXT
record: such an endpoint is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from ipaddress import ip_address
from socket import AF_INET, inet_ntop
from struct import Struct
from typing import Final, NamedTuple

from config.meta import Named
from config.naming import DNS_LABEL
from config.resources.core import Service, ServicePort
from discovery.endpoint import Endpoint, WorkloadRef
from discovery.membership import PortEndpoints, ports_of
from discovery.registry.content import Content, Node, RRset
from discovery.registry.wire import AAAA, IN, LONGEST_NAME, SRV, TXT, A, Record, from_text, to_labels, to_wire

SUBDOMAIN: Final = "endpoints"
TTL: Final = 5
LONGEST_STRING: Final = 255
SHARED: Final = 4096
"""Of what TXT records say, that are kept as they were read."""
LABEL_LENGTH: Final = 40
"""Of what a host label takes from the replica's id; a hash of all of it makes the label unique."""


def origin(domain: str) -> bytes:
    """The name of the written zone."""
    return to_wire(from_text(f"{SUBDOMAIN}.{domain}"))


def registered(named: Named, service: Service, endpoints: PortEndpoints, zone: bytes) -> Iterator[Record]:
    """The records that register these endpoints.  One whose names get too long for DNS raises ValueError."""
    base = to_wire((named.name.encode(), named.namespace.encode()))[:-1] + zone
    hosts: set[bytes] = set()
    for port in ports_of(service):
        owner = _port_labels(port) + base
        for endpoint in endpoints.get(port.key, ()):
            label = host_label(endpoint)
            target = bytes((len(label),)) + label + base
            if max(len(target), len(owner)) > LONGEST_NAME:
                raise ValueError("its names would be longer than the 255 bytes that DNS has for one")
            numbers = (endpoint.tier << 32 | endpoint.weight << 16 | endpoint.port).to_bytes(6, "big")
            yield Record(owner, SRV, IN, TTL, numbers + target)
            if target not in hosts:
                hosts.add(target)
                yield from _host(target, endpoint)


def host_label(endpoint: Endpoint) -> bytes:
    """The label of an endpoint's host: the same for all ports of a replica, and for no other one."""
    identity = "\0".join((endpoint.node, endpoint.replica_id, endpoint.address))
    digest = blake2b(identity.encode(), digest_size=5).hexdigest()
    name = endpoint.replica_id.lower()[:LABEL_LENGTH].strip("-")
    return f"{name}-{digest}".encode() if DNS_LABEL.problem(name) is None else f"e-{digest}".encode()


def _port_labels(port: ServicePort) -> bytes:
    return to_wire((b"_" + port.key.lower().encode(), b"_" + port.protocol.lower().encode()))[:-1]


def _host(target: bytes, endpoint: Endpoint) -> Iterator[Record]:
    packed = ip_address(endpoint.address).packed
    yield Record(target, A if len(packed) == 4 else AAAA, IN, TTL, packed)
    yield Record(target, TXT, IN, TTL, _text(endpoint))


def _text(endpoint: Endpoint) -> bytes:
    """What else is to be said, each as a string of its own."""
    workload = endpoint.workload
    said = {
        "ready": _bit(endpoint.ready),
        "serving": _bit(endpoint.serving),
        "terminating": _bit(endpoint.terminating),
        "node": endpoint.node,
        "zone": endpoint.zone,
        "id": endpoint.replica_id,
        "hostname": endpoint.hostname,
        "workload": "/".join(workload) if workload else "",
        "vouched": "" if endpoint.vouched else "0",
    }
    strings = [f"{key}={value}".encode()[:LONGEST_STRING] for key, value in said.items() if value]
    return b"".join(bytes((len(string),)) + string for string in strings)


def _bit(value: bool) -> str:
    return "1" if value else "0"


class _Said(NamedTuple):
    """What a TXT record says, but for the id."""

    ready: bool = True
    serving: bool = True
    terminating: bool = False
    workload: WorkloadRef | None = None
    node: str = ""
    zone: str = ""
    hostname: str = ""
    vouched: bool = True


def _read(data: bytes) -> tuple[_Said, str]:
    """What a TXT record says, and the id: but for that, endpoints of a node mostly say the same, and then share it."""
    at = data.find(b"id=") - 1
    if at >= 0:
        end = at + 1 + data[at]
        said = _around_id(data[:at], data[end:])
        if said is not None:
            return said, str(data[at + 4 : end], "utf-8", "replace")
    strings = read_text(data)
    return _said(strings), strings.get("id", "")


@lru_cache(SHARED)
def _around_id(before: bytes, after: bytes) -> _Said | None:
    """What is said around the id; None: `before` ends within a string, or has an id as well."""
    at, size = 0, len(before)
    while at < size:
        at += 1 + before[at]
    strings = read_text(before + after)
    return _said(strings) if at == size and "id" not in read_text(before) else None


def _said(strings: Mapping[str, str]) -> _Said:
    ready, terminating = strings.get("ready", "1") == "1", strings.get("terminating") == "1"
    return _Said(
        ready and not terminating,
        strings.get("serving", "1" if ready else "0") == "1",
        terminating,
        _workload(strings.get("workload", "")),
        strings.get("node", ""),
        strings.get("zone", ""),
        strings.get("hostname", ""),
        strings.get("vouched") != "0",
    )


def read_text(data: bytes) -> dict[str, str]:
    """The ``key=value`` strings of a TXT record; what is no such string is passed over."""
    said: dict[str, str] = {}
    at, size = 0, len(data)
    while at < size:
        end = at + 1 + data[at]
        key, equals, value = data[at + 1 : end].partition(b"=")
        if equals:
            said.setdefault(key.lower().decode("utf-8", "replace"), value.decode("utf-8", "replace"))
        at = end
    return said


def port_owner(named: Named, port: ServicePort, zone: bytes) -> bytes:
    """The name of the SRV records of a Service's port."""
    return _port_labels(port) + to_wire((named.name.encode(), named.namespace.encode()))[:-1] + zone


@lru_cache(SHARED)
def service_of(name: bytes, zone: bytes) -> Named | None:
    """The Service that a name of the zone tells of; None: of none."""
    labels = to_labels(name[: -len(zone)] + b"\0")
    if len(labels) == 4 and labels[0].startswith(b"_") and labels[1].startswith(b"_"):
        labels = labels[1:]
    if len(labels) != 3:
        return None
    return Named(labels[2].decode("utf-8", "replace"), labels[1].decode("utf-8", "replace"))


_NUMBERS: Final = Struct("!HHH").unpack_from
_SILENT: Final = (_Said(), "")
"""There is no TXT record."""


Counts = Callable[[Endpoint], bool]
_Hosts = dict[bytes, tuple[Node, Endpoint | None]]


class Registrations:
    """Reads endpoints out of a content; what a host's records make is remembered as long as they are the same."""

    def __init__(self, content: Content, counts: Counts | None = None) -> None:
        """`counts`: which endpoints there are, for who asks here; None: all."""
        self._content = content
        self._counts = counts
        self._known: dict[bytes, _Hosts] = {}
        """By port name and SRV data: the host's node, and what both make."""

    def touched(self, names: Iterable[bytes]) -> set[Named]:
        """The Services whose endpoints may differ, now that these names do."""
        found = {service_of(name, self._content.origin) for name in names}
        return {named for named in found if named is not None}

    def endpoints(
        self, named: Named, service: Service, changed: Container[bytes] | None = None
    ) -> Mapping[str, tuple[Endpoint, ...]]:
        """All endpoints of a Service by port; none: an empty mapping.

        `changed`: all names that differ since this was last asked; None: any may.
        """
        zone = self._content.origin
        found = {port.key: self._on_port(port_owner(named, port, zone), changed) for port in ports_of(service)}
        return found if any(found.values()) else {}

    def _on_port(self, owner: bytes, changed: Container[bytes] | None) -> tuple[Endpoint, ...]:
        hosts = self._known.get(owner)
        if hosts is None or changed is None or owner in changed:
            hosts = self._read(owner, self._known.pop(owner, {}))
        else:
            stale = [data for data in hosts if data[6:].lower() in changed]
            hosts.update((data, self._made(data)) for data in stale)
        return tuple([endpoint for _, endpoint in hosts.values() if endpoint is not None])

    def _read(self, owner: bytes, before: _Hosts) -> _Hosts:
        nodes = self._content.nodes
        rrset = _rrset(nodes.get(owner, ()), SRV)
        if rrset is None:
            return {}
        if not before:
            now = {data: self._made(data) for data in rrset.datas}
        else:
            now = {}
            for data in rrset.datas:
                known = before.get(data)
                is_same = known is not None and known[0] is nodes.get(data[6:].lower(), ())
                now[data] = known if known is not None and is_same else self._made(data)
        self._known[owner] = now
        return now

    def _made(self, data: bytes) -> tuple[Node, Endpoint | None]:
        nodes, target = self._content.nodes, data[6:]
        node = nodes.get(target) or nodes.get(target.lower(), ())
        endpoint = read_endpoint(data, node)
        if self._counts is None or endpoint is None or self._counts(endpoint):
            return node, endpoint
        return node, None


def _rrset(node: Node, kind: int) -> RRset | None:
    for rrset in node:
        if rrset.type == kind:
            return rrset
    return None


def read_endpoint(data: bytes, node: Node) -> Endpoint | None:
    """The endpoint that an SRV record and the records of its target make; None: the target has no address."""
    v4 = v6 = text = b""
    for kind, _, datas in node:
        if kind == A:
            v4 = datas[0]
        elif kind == TXT:
            text = datas[0]
        elif kind == AAAA:
            v6 = datas[0]
    packed = v4 or v6
    if not packed or len(data) < 7:
        return None
    said, replica_id = _read(text) if text else _SILENT
    tier, weight, port = _NUMBERS(data)
    try:
        address = inet_ntop(AF_INET, packed) if len(packed) == 4 else str(ip_address(packed))
    except ValueError:
        return None
    ready, serving, terminating, workload, at_node, zone, hostname, vouched = said
    return Endpoint(  # by place, which is done for each endpoint of a zone
        address, port, ready, serving, terminating,
        replica_id, workload, at_node, zone, hostname, weight or 1, tier, vouched,
    )  # fmt: skip


def _workload(text: str) -> WorkloadRef | None:
    parts = text.split("/")
    return WorkloadRef(*parts) if len(parts) == 3 else None
