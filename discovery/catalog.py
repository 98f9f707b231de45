"""The Catalog: which endpoints stand behind each Service port, as a sequence of immutable snapshots.

It is the second frozen hand-off (written, *existing*, compiled, live).  Sources and platforms put their
current word in; the catalog publishes a new `Snapshot` whenever the outcome differs.  What one Service's
endpoints are is `discovery.membership`; here is which Services a change touches, found by an index over
selectors, so that the cost of a change does not grow with what did not change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping
from itertools import islice

import msgspec

from config.meta import Named, matches
from config.resources.core import Service
from discovery.acknowledgement import Acknowledgements
from discovery.endpoint import Endpoint, Replica
from discovery.membership import Membership, PortEndpoints
from discovery.shards import Shards

__all__ = ["Catalog", "Endpoint", "PortEndpoints", "Replica", "Snapshot"]

log = logging.getLogger(__name__)


class Snapshot(msgspec.Struct, frozen=True):
    """What exists at one moment.  A Service that did not change keeps the same `PortEndpoints` object."""

    generation: int = 0
    services: Mapping[Named, PortEndpoints] = {}
    changed: frozenset[Named] = frozenset()
    """Services that differ from the generation before this one, those that are gone included."""


SERVICES_PER_STEP = 100
"""That are defined at a time."""
NAMED_AT_ONCE = 5
"""Services that one log line names."""

_Label = tuple[str, str, str]
"""Namespace, key, value."""


class Catalog:
    """Joins Services, replicas and given endpoints; single-threaded, without I/O."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self._services: Shards[Named, PortEndpoints] = Shards()
        """Those of the snapshot."""
        self._members: dict[Named, Membership] = {}
        self._by_label: dict[_Label, set[Named]] = {}
        self._replicas: dict[str, dict[str, Replica]] = {}
        self._given: dict[str, dict[Named, PortEndpoints]] = {}
        self._subscribers: list[Callable[[Snapshot], None]] = []
        self._undelivered: list[Snapshot] = []
        self._acknowledgements = Acknowledgements()
        self._contested: set[Named] = set()

    def define(self, services: Mapping[Named, Service]) -> None:
        """`define_steps` in one go."""
        for _ in self.define_steps(services):
            pass

    def define_steps(self, services: Mapping[Named, Service]) -> Generator[None, None, None]:
        """These are the Services now; what is known of replicas and endpoints is kept.

        In short steps, after each of which all that was done is published; nothing else may define meanwhile.
        """
        names = iter([*services, *(self._members.keys() - services.keys())])
        while batch := set(islice(names, SERVICES_PER_STEP)):
            self._define_some(batch, services)
            yield

    def _define_some(self, names: set[Named], services: Mapping[Named, Service]) -> None:
        known = names & self._members.keys()
        stale = {name for name in known if not _same_shape(self._members[name].service, services.get(name))}
        for name in stale:
            self._undefine(name)
        fresh = (names & services.keys()) - (known - stale)
        for name in fresh:
            self._members[name] = Membership(services[name], self.snapshot.services.get(name))
            if (label := _index_label(name, services[name])) is not None:
                self._by_label.setdefault(label, set()).add(name)
        self._fill(fresh)
        self._publish(stale | fresh)

    def _fill(self, fresh: set[Named]) -> None:
        """Give Services that are new what is known already."""
        for source, replicas in self._replicas.items() if fresh else ():
            for replica in replicas.values():
                for name in self._selecting(replica) & fresh:
                    self._members[name].put((source, replica.id), replica)
        for source, given in self._given.items():
            for name in fresh & given.keys():
                self._members[name].give(source, given[name])

    def put_replicas(self, source: str, replicas: Iterable[Replica]) -> None:
        """These are all replicas of `source` now."""
        known = self._replicas.get(source, {})
        current = {replica.id: replica for replica in replicas}
        changed = [replica for replica in current.values() if known.get(replica.id) is not replica]
        self.change_replicas(source, changed, known.keys() - current.keys())

    def change_replicas(self, source: str, put: Iterable[Replica], gone: Iterable[str] = ()) -> None:
        """Of the replicas of `source`, those of `put` are new or changed, those with the ids of `gone` are gone."""
        known = self._replicas.setdefault(source, {})
        touched: set[Named] = set()
        for replica in put:
            touched |= self._put(source, known.get(replica.id), replica)
            known[replica.id] = replica
        for replica_id in gone:
            if replica_id in known:
                touched |= self._put(source, known.pop(replica_id), None)
        self._publish(touched)

    def put_endpoints(self, source: str, endpoints: Mapping[Named, PortEndpoints]) -> None:
        """These are all endpoints that `source` gives to Services by name."""
        known = self._given.get(source, {})
        changes = {name: given for name, given in endpoints.items() if known.get(name) is not given}
        taken_back: dict[Named, PortEndpoints] = {name: {} for name in known.keys() - endpoints.keys()}
        self.change_endpoints(source, {**taken_back, **changes})

    def change_endpoints(self, source: str, changes: Mapping[Named, PortEndpoints]) -> None:
        """`source` now gives these endpoints to these Services; an empty mapping takes its word back."""
        known = self._given.setdefault(source, {})
        for name, given in changes.items():
            if given:
                known[name] = given
            else:
                known.pop(name, None)
            if name in self._members:
                self._members[name].give(source, given)
        self._publish(set(changes))

    def subscribe(self, callback: Callable[[Snapshot], None]) -> None:
        """Call `callback` with each snapshot from now on, before the call that made it returns."""
        self._subscribers.append(callback)

    def acknowledge(self, consumer: str, generation: int) -> None:
        """`consumer` has this generation in force, which makes it one that `acknowledged` waits for."""
        if generation > self.snapshot.generation:
            raise ValueError(f"{consumer} acknowledges generation {generation}, which does not exist yet")
        self._acknowledgements.put(consumer, generation)

    def forget(self, consumer: str) -> None:
        """`consumer` has ended and is waited for no more."""
        self._acknowledgements.forget(consumer)

    async def acknowledged(self, generation: int, deadline: float) -> frozenset[str]:
        """Wait until all consumers have `generation` in force, at most until `deadline` (the loop's time).

        Returns the consumers that have not; empty: all have.
        """
        return await self._acknowledgements.reached(generation, deadline)

    def _undefine(self, name: Named) -> None:
        service = self._members.pop(name).service
        self._contested.discard(name)
        if (label := _index_label(name, service)) is not None:
            self._by_label[label].discard(name)
            if not self._by_label[label]:
                del self._by_label[label]

    def _selecting(self, replica: Replica) -> set[Named]:
        """The Services whose selector `replica` matches, and those that it names."""
        namespace = replica.workload.namespace
        named = {name for name in replica.services if name in self._members and self._has_endpoints(name)}
        return named | {
            name
            for key, value in replica.labels.items()
            for name in self._by_label.get((namespace, key, value), ())
            if matches(self._members[name].service.spec.selector, replica.labels)
        }

    def _has_endpoints(self, name: Named) -> bool:
        return self._members[name].service.spec.type != "ExternalName"

    def _put(self, source: str, before: Replica | None, now: Replica | None) -> set[Named]:
        """Enter one replica's change; the Services that it touches."""
        left = self._selecting(before) if before is not None else set()
        joined = self._selecting(now) if now is not None else set()
        for name in left - joined:
            self._members[name].remove((source, before.id if before is not None else ""))
        if now is not None:
            for name in joined:
                self._members[name].put((source, now.id), now)
        return left | joined

    def _publish(self, touched: set[Named]) -> None:
        """Make a snapshot if any of the `touched` Services differs, and deliver it."""
        changed = {name for name in touched if name not in self._members and name in self.snapshot.services}
        for name in touched & self._members.keys():
            member = self._members[name]
            if member.publish():
                changed.add(name)
        self._tell_contests(touched)
        if not changed:
            return
        put = {name: self._members[name].published or {} for name in changed if name in self._members}
        self._services = self._services.changed(put, changed - put.keys())
        self.snapshot = Snapshot(self.snapshot.generation + 1, self._services, frozenset(changed))
        self._deliver(self.snapshot)

    def _deliver(self, snapshot: Snapshot) -> None:
        """In order, also when a subscriber changes the catalog: the outer call then delivers what it made."""
        self._undelivered.append(snapshot)
        if len(self._undelivered) > 1:
            return
        try:
            while self._undelivered:
                for callback in tuple(self._subscribers):
                    callback(self._undelivered[0])
                del self._undelivered[0]
        finally:
            self._undelivered.clear()

    def _tell_contests(self, touched: set[Named]) -> None:
        """Say once of each Service, in one line for all, that its selector wins over endpoints given to it."""
        contested = {name for name in touched & self._members.keys() if self._members[name].contested}
        if names := sorted(contested - self._contested):
            self._contested.update(names)
            more = f" and {len(names) - NAMED_AT_ONCE} more" if len(names) > NAMED_AT_ONCE else ""
            shown = ", ".join(map(str, names[:NAMED_AT_ONCE])) + more
            log.warning("selectors have replicas, so other endpoints given do not count: Service %s", shown)


def _same_shape(before: Service, now: Service | None) -> bool:
    """Whether both have the same endpoints, whatever else differs."""
    if now is None:
        return False
    return before is now or (before.spec.selector, before.spec.ports, before.spec.type) == (
        now.spec.selector,
        now.spec.ports,
        now.spec.type,
    )


def _index_label(name: Named, service: Service) -> _Label | None:
    """The one label under which a Service is found; the whole selector is compared afterwards."""
    if not service.spec.selector or service.spec.type == "ExternalName":
        return None
    # The rarest label would be best; the longest value is a good guess and needs no counting.
    key, value = max(service.spec.selector.items(), key=lambda pair: (len(pair[1]), pair))
    return name.namespace, key, value
