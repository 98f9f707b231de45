"""The autoscaler's two seams: what is scaled, and where samples come from.

Platforms and data planes fit these protocols by shape.  Times are Unix seconds, so that what a platform and the
autoscaler say can be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.reading import Reading
from mesh.stats import StatsFrame


class Copy(Protocol):
    """One replica of a workload."""

    @property
    def id(self) -> str: ...
    @property
    def ready(self) -> bool: ...
    @property
    def terminating(self) -> bool: ...
    @property
    def pending(self) -> bool:
        """Not all of its containers have been started yet."""

    @property
    def started(self) -> float:
        """When it was made."""

    @property
    def since(self) -> float:
        """When it last changed between ready and not ready; at first when it was made."""


class Scale(Protocol):
    """What a workload is to have and has, as Kubernetes' scale subresource."""

    @property
    def desired(self) -> int: ...
    @property
    def replicas(self) -> Sequence[Copy]: ...


class ContainerUsage(Protocol):
    """What one container of a replica has used and asked for."""

    @property
    def container(self) -> str: ...
    @property
    def cpu_seconds(self) -> float | None:
        """Since its process was started; None: not known."""

    @property
    def memory(self) -> float | None:
        """Bytes; None: not known."""

    @property
    def requests(self) -> Mapping[str, str]:
        """Quantities by resource."""

    @property
    def at(self) -> float | None:
        """When its seconds were counted, by any clock that only goes forward; None: just now."""


Usage = Mapping[str, Sequence[ContainerUsage]]
"""By replica: all of its containers."""


@runtime_checkable
class ScaleTarget(Protocol):
    """Who runs workloads."""

    async def read(self, workload: WorkloadRef) -> Scale:
        """Raises KeyError for a workload that is not run here."""

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        """Want `replicas` copies; when some must go, `victims` go first.

        Raises KeyError, or OSError in words for the user when whoever runs them does not take it.
        """

    def usage(self, workload: WorkloadRef) -> Usage:
        """What its replicas use now; empty where the system does not tell."""


class ReplicaLoad(NamedTuple):
    """What a data plane sends to one replica; those of several planes add up."""

    in_flight: int = 0
    requests: int = 0
    """Ever sent to it, TCP connections too."""


class SampleSource(Protocol):
    """The data planes."""

    def epoch(self) -> int:
        """Another number whenever somebody's counters were added who had counted before."""

    def services(self, names: Collection[Named]) -> StatsFrame:
        """Counters of the Backends of these Services, without their endpoints."""

    def replicas(self, workloads: Collection[WorkloadRef]) -> Mapping[str, ReplicaLoad]:
        """By replica, of all that are endpoints of any Service or were a moment ago."""


class ExternalSource(Protocol):
    """Who knows metrics of type External."""

    async def ask(self, queries: Collection[str]) -> Mapping[str, Reading]:
        """By query: what is known of it, or why nothing is."""
