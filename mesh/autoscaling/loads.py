"""The data plane of this process as a source of samples: live counters in, plain data out."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.target import ReplicaLoad
from mesh.frames import SLICE, backend_frame
from mesh.live import Live
from mesh.stats import StatsFrame, merge
from mesh.steps import run_to_end


class LiveSource:
    """A `SampleSource`; what it costs is in proportion to all Backends, or endpoints, unless nothing is asked for."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def epoch(self) -> int:
        return 0

    def services(self, names: Collection[Named]) -> StatsFrame:
        if not names:
            return StatsFrame()
        backends = tuple(self._live.backends.values())
        wanted = (backend for backend in backends if Named(backend.key.namespace, backend.key.service) in names)
        return merge([StatsFrame([backend_frame(backend, {}) for backend in wanted])])

    def replicas(self, workloads: Collection[WorkloadRef]) -> Mapping[str, ReplicaLoad]:
        return run_to_end(self.steps(workloads))

    def steps(self, workloads: Collection[WorkloadRef]) -> Generator[None, None, dict[str, ReplicaLoad]]:
        """`replicas`, yielding after every few hundred endpoints."""
        loads: dict[str, ReplicaLoad] = {}
        seen = 0
        for backend in tuple(self._live.all()) if workloads else ():
            for state in tuple(backend.states()):
                seen += 1
                endpoint = state.endpoint
                if endpoint.workload in workloads:
                    before = loads.get(endpoint.replica_id, ReplicaLoad())
                    load = ReplicaLoad(before.in_flight + state.in_flight, before.requests + state.requests)
                    loads[endpoint.replica_id] = load
            if seen > SLICE:
                seen = 0
                yield
        return loads
