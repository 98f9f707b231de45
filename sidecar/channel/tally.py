"""What one node has counted, as the sum over its processes: counters never run backwards.

A process that begins anew counts from nothing, so what the one before it had counted is kept beside; and of a node that
is not connected only the counters are left, for nothing is in flight there that anybody knows of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from mesh.stats import BackendFrame, EndpointFrame, add

MOST_BACKENDS: Final = 20_000
"""Of which counters are kept for one node."""
MOST_PAST: Final = 2_000
"""Of which counters of processes that ended are kept."""
MOST_REPLICAS: Final = 5_000

Name = tuple[str, str, str]


class Load(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a node sends to one replica; as `mesh.autoscaling.target.ReplicaLoad`."""

    in_flight: int = 0
    requests: int = 0


class Tally:
    """Of one node.  A whole report comes in parts, of which the first says so."""

    def __init__(self) -> None:
        self._now: dict[Name, BackendFrame] = {}
        self._last: dict[Name, BackendFrame] = {}
        """Of the report before, what the present one has not come to."""
        self._past: dict[Name, BackendFrame] = {}
        """Counted by processes that ended."""
        self._ports: dict[tuple[str, str], set[str]] = {}
        """Of each Service, all that were ever counted."""
        self._loads: dict[str, Load] = {}
        self._past_requests: dict[str, int] = {}
        self.epoch = 0
        """Another number whenever something is first heard of that has a history: no growth, though sums jump."""

    def counted(self, frames: Iterable[BackendFrame], *, whole: bool) -> None:
        """Take counters over; `whole`: what is not among them is no longer there."""
        if whole:
            self._settle()
            self._last, self._now = self._now, {}
        for frame in frames:
            name = frame.namespace, frame.service, frame.port
            before = self._now.get(name) or self._last.pop(name, None)
            if before is None and name not in self._past and frame.codes:
                self.epoch += 1
            if before is None and len(self._now) >= MOST_BACKENDS:
                continue
            if before is not None and _went_back(before, frame):
                self._keep(before)
            self._now[name] = frame
            self._ports.setdefault(name[:2], set()).add(frame.port)

    def loaded(self, loads: Mapping[str, Load]) -> None:
        """These are the loads of replicas now."""
        if not self._loads and any(load.requests for load in loads.values()):
            self.epoch += 1
        for replica, load in loads.items():
            before = self._loads.get(replica)
            if before is not None and load.requests < before.requests:
                self._past_requests[replica] = self._past_requests.get(replica, 0) + before.requests
        self._past_requests = {each: past for each, past in self._past_requests.items() if each in loads}
        self._loads = dict(tuple(loads.items())[:MOST_REPLICAS])

    def left(self) -> None:
        """The node is not connected any more."""
        self._now = {name: _counters(frame) for name, frame in self._now.items()}
        self._loads = {replica: Load(0, load.requests) for replica, load in self._loads.items()}

    def retire(self, frames: Iterable[BackendFrame]) -> None:
        """These were counted by somebody who is gone."""
        for frame in frames:
            self._keep(frame)

    def current(self) -> list[BackendFrame]:
        """What its process said last."""
        return list(self._now.values())

    def frames(self, services: Iterable[tuple[str, str]] | None = None) -> Iterator[BackendFrame]:
        """All that adds up; of these Services, by namespace and name, or of all."""
        for service in tuple(self._ports) if services is None else services:
            for port in self._ports.get(service, ()):
                name = *service, port
                if (now := self._now.get(name)) is not None:
                    yield now
                if (last := self._last.get(name)) is not None:
                    yield _counters(last)
                if (past := self._past.get(name)) is not None:
                    yield past

    def loads(self) -> Iterator[tuple[str, Load]]:
        """By replica."""
        for replica, load in self._loads.items():
            yield replica, Load(load.in_flight, load.requests + self._past_requests.get(replica, 0))

    def _settle(self) -> None:
        """What the last whole report had and this one did not is gone, but was counted."""
        for frame in self._last.values():
            self._keep(frame)
        self._last = {}
        self._ports = {}
        for namespace, service, port in (*self._now, *self._past):
            self._ports.setdefault((namespace, service), set()).add(port)

    def _keep(self, frame: BackendFrame) -> None:
        name = frame.namespace, frame.service, frame.port
        if name in self._past or len(self._past) < MOST_PAST:
            add(self._past.setdefault(name, BackendFrame(*name)), _counters(frame))
            self._ports.setdefault(name[:2], set()).add(frame.port)


def _went_back(before: BackendFrame, now: BackendFrame) -> bool:
    """Whether a counter is smaller than it was: another process counts."""
    return (
        sum(now.codes.values()) < sum(before.codes.values())
        or sum(now.duration_buckets) < sum(before.duration_buckets)
        or now.tcp_total < before.tcp_total
        or now.udp_total < before.udp_total
        or now.bytes_in < before.bytes_in
        or now.bytes_out < before.bytes_out
    )


def _counters(frame: BackendFrame) -> BackendFrame:
    """Without what is only true of a moment."""
    endpoints = {
        name: EndpointFrame(requests=each.requests, ejections=each.ejections) for name, each in frame.endpoints.items()
    }
    return msgspec.structs.replace(frame, in_flight=0, queued=0, tcp_open=0, udp_open=0, endpoints=endpoints)
