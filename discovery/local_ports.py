"""``reach: ports``: a port of 127.0.0.1 for every Service port, where a machine cannot have the service range.

macOS has one loopback address, and elsewhere a range may be taken or may need a right.  The port is the same every
time: what was remembered, else a stable hash of the name with the next free one after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from config.local_ports import with_local_ports
from config.meta import Named
from config.resources.core import Service, ServicePort
from config.settings import LOCAL_PORTS
from discovery.number_pool import NumberPool


class LocalPorts(NamedTuple):
    services: dict[Named, Service]
    """All of them; those that are to be dialled say which ports they have (`config.local_ports`)."""
    given: dict[str, int]
    """What to remember."""
    left_out: tuple[Named, ...]
    """For whom there was none left."""


def give_local_ports(services: Mapping[Named, Service], remembered: Mapping[str, int]) -> LocalPorts:
    """A port of 127.0.0.1 for each port that clients dial."""
    pool = NumberPool(LOCAL_PORTS)
    given: dict[str, int] = {}
    for named, service in services.items():
        for port in _dialled(service):
            where = port_name(named, port)
            number = remembered.get(where, 0)
            if number in LOCAL_PORTS and pool.hold_free(number, named):
                given[where] = number
    after: dict[Named, Service] = {}
    left_out = []
    for named, service in services.items():
        wanted = {port_name(named, port): port for port in _dialled(service)}
        for where in wanted.keys() - given.keys():
            if number := pool.pick(where, named) or 0:
                given[where] = number
        if wanted.keys() <= given.keys():
            numbers = {port.key: given[where] for where, port in wanted.items()}
            after[named] = with_local_ports(service, numbers) if wanted else service
        else:
            left_out.append(named)
    return LocalPorts(after, given, tuple(left_out))


def port_name(named: Named, port: ServicePort) -> str:
    """What a port is remembered by."""
    return f"{named}/{port.protocol}/{port.key}"


def _dialled(service: Service) -> Iterator[ServicePort]:
    if service.spec.type != "ExternalName" and not service.headless:
        yield from (port for port in service.spec.ports if port.protocol != "SCTP")
