"""Kubernetes' names for Services and endpoints, as pure functions (DNS-based service discovery, schema 1.1.0).

What a Service with a ClusterIP has does not depend on its endpoints.  A headless Service has the addresses of
its ready endpoints, and one name for each of them: its hostname, else its address with dashes.  A pod's own
``hostname`` is such a name only if its ``subdomain`` is the Service; its name alone never is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from config.meta import Named
from config.naming import DNS_LABEL
from config.resources.core import Service
from config.resources.workloads import Deployment
from discovery.endpoint import Endpoint
from discovery.membership import PortEndpoints
from discovery.registry.render import Reason

SCHEMA_VERSION = "1.1.0"
NOT_READY = 49152
"""Private codes of Extended DNS Errors (RFC 8914 section 5.2)."""
SCALED_TO_ZERO = 49153
SERVICE_WEIGHT = 100
"""Of the one SRV record that a Service with a ClusterIP has per port."""


class Record(NamedTuple):
    """Names are in lower case and have no final dot; `value` is written as in a zone file, but for that dot."""

    name: str
    type: str
    value: str


Deployments = Mapping[Named, Deployment]
Asleep = Callable[[Named], bool]
"""Whether a Service is scaled to zero now."""


def never(_: Named) -> bool:
    """Nobody knows of any."""
    return False


def service_name(named: Named, domain: str) -> str:
    return f"{named.name}.{named.namespace}.svc.{domain}"


def records(
    named: Named, service: Service, endpoints: PortEndpoints, domain: str, deployments: Deployments
) -> Iterator[Record]:
    """All records of a Service.  `deployments` say what hostname and subdomain a replica's template has."""
    name = service_name(named, domain)
    if service.spec.type == "ExternalName":
        yield Record(name, "CNAME", service.spec.external_name.lower().rstrip("."))
    elif service.headless:
        yield from _headless(name, service, endpoints, deployments)
    else:
        yield from _clustered(name, service)


def counts(service: Service, endpoint: Endpoint) -> bool:
    """Whether a headless Service has records for this endpoint."""
    return service.spec.publish_not_ready_addresses or (endpoint.ready and not endpoint.terminating)


def lack(service: Service, endpoints: PortEndpoints) -> Reason | None:
    """Why a headless Service has no records; None when it has some, or is none."""
    if not service.headless:
        return None
    there = {endpoint.where: endpoint for known in endpoints.values() for endpoint in known}.values()
    if any(counts(service, endpoint) for endpoint in there):
        return None
    name = f"Service {service.metadata.namespace}/{service.metadata.name}"
    if there:
        return Reason(NOT_READY, f"{name}: not ready: none of {len({each.address for each in there})} endpoints")
    return Reason(NOT_READY, f"{name}: not ready: it has no endpoints", lasts=False)


def lack_now(named: Named, lack: Reason | None, asleep: Asleep) -> Reason | None:
    """The same at this moment: how many endpoints there are to be differs without a name being another one."""
    if lack is None or lack.lasts or not asleep(named):
        return lack
    return Reason(SCALED_TO_ZERO, f"Service {named.namespace}/{named.name}: scaled to zero", lasts=False)


def dashed(address: str) -> str:
    """An address as a label: ``10-1-2-3``, ``fd00--1``; a label neither begins nor ends with a dash."""
    label = address.replace(".", "-").replace(":", "-")
    return f"{'0' if label[0] == '-' else ''}{label}{'0' if label[-1] == '-' else ''}"


def undashed(label: bytes) -> bytes | None:
    """The address, packed, that a label of the pod schema stands for, or None."""
    for separator in (b".", b":"):
        try:
            return ip_address(label.replace(b"-", separator).decode("ascii")).packed
        except ValueError:
            continue
    return None


def _clustered(name: str, service: Service) -> Iterator[Record]:
    for address in service.addresses:
        yield _address(name, address)
        yield Record(ip_address(address).reverse_pointer, "PTR", name)
    for port in service.spec.ports:
        if port.name:
            value = f"0 {SERVICE_WEIGHT} {port.port} {name}"
            yield Record(f"_{port.name}._{port.protocol.lower()}.{name}", "SRV", value)


def _headless(name: str, service: Service, endpoints: PortEndpoints, deployments: Deployments) -> Iterator[Record]:
    hosts: dict[str, str] = {}
    for endpoint in _counting(service, (each for known in endpoints.values() for each in known)):
        hosts.setdefault(endpoint.address, f"{_hostname(service, endpoint, deployments)}.{name}")
    for address, host in hosts.items():
        yield _address(name, address)
        yield _address(host, address)
        yield Record(ip_address(address).reverse_pointer, "PTR", host)
    for port in service.spec.ports:
        if port.name:
            at = f"_{port.name}._{port.protocol.lower()}.{name}"
            for endpoint in _counting(service, endpoints.get(port.key, ())):
                target = hosts[endpoint.address]
                yield Record(at, "SRV", f"{endpoint.tier} {endpoint.weight} {endpoint.port} {target}")


def _counting(service: Service, endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
    return (endpoint for endpoint in endpoints if counts(service, endpoint))


def _hostname(service: Service, endpoint: Endpoint, deployments: Deployments) -> str:
    """The label of an endpoint beneath its Service."""
    hostname = endpoint.hostname
    if not hostname and endpoint.workload is not None:
        deployment = deployments.get(Named(endpoint.workload.namespace, endpoint.workload.name))
        if deployment is not None and deployment.spec.template.spec.subdomain == service.metadata.name:
            hostname = deployment.spec.template.spec.hostname
    hostname = hostname.lower()
    return hostname if hostname and DNS_LABEL.problem(hostname) is None else dashed(endpoint.address)


def _address(name: str, address: str) -> Record:
    return Record(name, "AAAA" if ":" in address else "A", address)
