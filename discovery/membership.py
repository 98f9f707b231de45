"""Membership: the endpoints of one Service, kept up to date replica by replica.

A Service with a selector has the replicas of its namespace that carry all the selector's labels.  `targetPort`
is looked up in each replica: a number is a containerPort, which stands for the port where this replica really
listens (one that the replica does not declare means itself); a name that a replica does not have leaves that
replica out of that port.  Unready and terminating replicas stay in: who may be picked is decided above.

A Service without a selector has the endpoints that sources give it by name.  When a Service has both, the
selector wins from its first replica on, also when all replicas are gone again: what a file says about other
addresses must not come back to life because a workload is being replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from config.resources.core import Service, ServicePort
from discovery.endpoint import Endpoint, Replica

PortEndpoints = Mapping[str, tuple[Endpoint, ...]]
"""Service port (its name, else its number as text) to all of its endpoints, ready or not."""

PORTLESS = ServicePort(port=0)
"""Stands for the ports of a headless Service that has none, and still has endpoints, which DNS names."""

ReplicaKey = tuple[str, str]
"""Source and id: ids are unique within a source."""


class Membership:
    """Endpoints of one Service; those that stay keep their place, new ones come last."""

    __slots__ = ("_given", "_selected", "_selector_wins", "ports", "published", "service")

    def __init__(self, service: Service, published: PortEndpoints | None) -> None:
        """`published`: what was published of this Service until now, None if it was not there."""
        self.service = service
        self.ports = ports_of(service)
        self._selected: dict[str, dict[ReplicaKey, Endpoint]] = {port.key: {} for port in self.ports}
        self._given: dict[str, PortEndpoints] = {}
        """By source, in the order in which the sources first spoke."""
        self._selector_wins = False
        self.published = published
        """The outcome; the same object until something differs."""

    @property
    def contested(self) -> bool:
        """Whether endpoints were given that do not count, because the selector has replicas."""
        return self._selector_wins and bool(self._given)

    def put(self, key: ReplicaKey, replica: Replica) -> None:
        """A replica that the selector matches is new, or has changed."""
        self._selector_wins = True
        for port in self.ports:
            members = self._selected[port.key]
            endpoint = endpoint_of(replica, port)
            if endpoint is None:
                members.pop(key, None)
            elif members.get(key) != endpoint:
                members[key] = endpoint

    def remove(self, key: ReplicaKey) -> None:
        for members in self._selected.values():
            members.pop(key, None)

    def give(self, source: str, endpoints: PortEndpoints) -> None:
        """What `source` says of this Service; nothing: it has nothing to say any more."""
        if endpoints:
            self._given[source] = endpoints
        else:
            self._given.pop(source, None)

    def publish(self) -> bool:
        """Bring `published` up to date; whether it differs from before."""
        current = {port.key: self._endpoints(port.key) for port in self.ports}
        if current == self.published:
            return False
        self.published = current
        return True

    def _endpoints(self, port: str) -> tuple[Endpoint, ...]:
        if self._selector_wins:
            return tuple(self._selected[port].values())
        given = [endpoints[port] for endpoints in self._given.values() if port in endpoints]
        return given[0] if len(given) == 1 else distinct(endpoint for some in given for endpoint in some)


def ports_of(service: Service) -> tuple[ServicePort, ...]:
    """The ports that the endpoints of `service` are known by."""
    return service.spec.ports or ((PORTLESS,) if service.headless else ())


def endpoint_of(replica: Replica, port: ServicePort) -> Endpoint | None:
    """The endpoint that `replica` is for `port`; None: it has no containerPort of the target's name."""
    number = target_port(replica, port)
    if number is None:
        return None
    return Endpoint(
        address=replica.address,
        port=number,
        ready=replica.ready and not replica.terminating,
        serving=replica.serving or replica.ready,
        terminating=replica.terminating,
        replica_id=replica.id,
        workload=replica.workload,
        node=replica.node,
        zone=replica.zone,
        hostname=replica.hostname,
        inside=replica.inside,
        vouched=replica.vouched,
    )


def target_port(replica: Replica, port: ServicePort) -> int | None:
    """Where `replica` really listens for `port`."""
    target = port.target_port or port.port
    for declared in replica.ports:
        if declared.protocol == port.protocol and target in (declared.container_port, declared.name):
            return declared.port
    return None if isinstance(target, str) else target


def distinct(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """One endpoint per address and port; of several the one that is best off, in the place of the first."""
    found: dict[tuple[str, int], Endpoint] = {}
    for endpoint in endpoints:
        known = found.setdefault((endpoint.address, endpoint.port), endpoint)
        if known is not endpoint and (endpoint.ready, endpoint.serving) > (known.ready, known.serving):
            found[endpoint.address, endpoint.port] = endpoint
    return tuple(found.values())
