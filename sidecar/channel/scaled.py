"""Nodes as the autoscaler of a registry sees them: places that run Deployments, and data planes that count.

What a node is told stays due until it says that it has it, also over a lost connection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.places import Whole
from mesh.autoscaling.target import ReplicaLoad, ScaleTarget, Usage
from mesh.stats import StatsFrame
from sidecar.channel.messages import MOST_COPIES, Wanted, Workload
from sidecar.channel.nodes import KnownNode, Nodes
from sidecar.channel.scaling import name_of


class NodePlace:
    """A `ScaleTarget`: one node.  Of what others scale, such as services of a swarm, it only says what is used."""

    def __init__(self, nodes: Nodes, node: KnownNode) -> None:
        self._nodes = nodes
        self._node = node

    async def read(self, workload: WorkloadRef) -> Whole:
        said, wanted = self._said(workload), self._node.wanted.get(name_of(workload))
        if said is None or workload.kind != "Deployment":
            raise KeyError(workload)
        told = wanted.replicas if wanted is not None else None
        return Whole(said.desired if told is None else told, said.copies, away=not self._node.connected)

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        name = name_of(workload)
        if self._said(workload) is None:
            raise KeyError(workload)
        self._node.wanted[name] = Wanted(name, replicas=replicas, victims=victims[:MOST_COPIES])
        self._nodes.tell()

    def usage(self, workload: WorkloadRef) -> Usage:
        said = self._said(workload)
        return said.usage if said is not None else {}

    def _said(self, workload: WorkloadRef) -> Workload | None:
        return self._node.workloads.get(name_of(workload))


class NodesSource:
    """A `SampleSource`: all nodes."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    def epoch(self) -> int:
        return self._nodes.epoch

    def services(self, names: Collection[Named]) -> StatsFrame:
        return self._nodes.counters(names)

    def replicas(self, workloads: Collection[WorkloadRef]) -> Mapping[str, ReplicaLoad]:
        total: dict[str, ReplicaLoad] = {}
        for node in self._nodes if workloads else ():
            for replica, load in node.tally.loads():
                known = total.get(replica, ReplicaLoad())
                total[replica] = ReplicaLoad(known.in_flight + load.in_flight, known.requests + load.requests)
        return total


def places(nodes: Nodes) -> Iterator[tuple[str, ScaleTarget]]:
    """By name: the nodes that run something and are there, though their connection may just be lost."""
    leased = nodes.leased()
    for node in nodes:
        if node.workloads and (node.connected or node.name in leased):
            yield node.name, NodePlace(nodes, node)
