"""The autoscalers of this process: the loops over what it knows and serves, and what is told of them.

Most processes have no HorizontalPodAutoscaler and no policy with `scaling`, so that nothing of it is imported before
there is one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from config.configset import ConfigSet
from config.meta import Named, ObjectKey
from discovery.endpoint import WorkloadRef
from mesh.exposition import Family
from mesh.status import ACCEPTED, ObjectStatus
from sidecar.documents import Document
from sidecar.logs import timestamp

if TYPE_CHECKING:
    from mesh.autoscaling.controller import Controller
    from mesh.autoscaling.decision import Condition
    from mesh.autoscaling.executor import Executor
    from mesh.autoscaling.fast_lane import FastLane, Lane
    from mesh.autoscaling.proposal import Proposal
    from mesh.autoscaling.scaler import Scaler
    from mesh.autoscaling.target import SampleSource, ScaleTarget
    from sidecar.prometheus import Prometheus

    GivePlaces = Callable[[], Iterable[tuple[str, ScaleTarget]]]

log = logging.getLogger("weft.autoscaler")

NOTHING_SCALED = "scaling: nothing is scaled, for the Service selects no Deployment, and no scaleTargetRef names one"


def steady_clock() -> Callable[[], float]:
    """Unix seconds that never jump: those of now, and from then on the monotonic clock."""
    began = time.time() - time.monotonic()
    return lambda: began + time.monotonic()


class Scaled(NamedTuple):
    """How a workload is scaled."""

    sleeps: bool
    """It may be at zero until it is woken here."""
    measured: bool
    """What its replicas use is asked for."""


class Parts:
    """What is made when the first autoscaler is there."""

    def __init__(self, places: GivePlaces, sources: list[SampleSource], standby: Callable[[], str]) -> None:
        from mesh.autoscaling.controller import Controller
        from mesh.autoscaling.executor import Executor
        from mesh.autoscaling.fast_lane import FastLane
        from mesh.autoscaling.places import Places, Sources

        self.sources = sources
        target, source = Places(lambda: dict(places())), Sources(lambda: self.sources)
        self.executor: Executor = Executor(target, source, steady_clock(), standby)
        self.controller: Controller = Controller(self.executor)
        self.fast: FastLane = FastLane(self.executor)

    def scaler(self, key: ObjectKey) -> Scaler | None:
        """The one that the object of that key is."""
        name = Named(key.namespace, key.name)
        if key.kind == "HorizontalPodAutoscaler":
            return self.controller.scalers.get(name)
        return self.fast.scalers.get(name) if key.kind == "TrafficPolicy" else None

    def scalers(self) -> Iterator[Scaler]:
        return chain(self.controller.scalers.values(), self.fast.scalers.values())


class Autoscaling:
    """Needs a task of the caller for `run`."""

    def __init__(
        self,
        config_set: ConfigSet,
        source: Callable[[], SampleSource] | None = None,
        target: ScaleTarget | None = None,
        standby: Callable[[], str] = str,
    ) -> None:
        """`source` and `target` are this process', None: it carries no traffic, or runs nothing.

        `source` is made once; `standby`: why another process acts, empty while this one does.
        """
        self.parts: Parts | None = None
        """None: there was no autoscaler yet."""
        self._sources = [] if source is None else [source]
        self._target = target
        self._places: list[GivePlaces] = [] if target is None else [lambda: [("", target)]]
        self._standby = standby
        self._dry_run = False
        self.generation = 0
        """Another number whenever `targets` may have others, `standby` apart."""
        self.stopped = False
        self._wanted = asyncio.Event()
        self._prometheus: Prometheus | None = None
        self._access: object = None
        self._closing: set[asyncio.Task[None]] = set()
        self._unscaled: frozenset[Named] = frozenset()
        """Policies with `scaling` that scale nothing."""
        self.define(config_set)

    def define(self, config_set: ConfigSet) -> None:
        """What is written now."""
        self.generation += 1
        settings = config_set.node.autoscaler
        has_lanes = any(policy.spec.scaling for policy in config_set.policies.values())
        if self.parts is None and (config_set.autoscalers or has_lanes):
            self.parts = self._make()
            self._wanted.set()
        if (parts := self.parts) is not None:
            parts.executor.dry_run = settings.dry_run or self._dry_run
            parts.controller.define(config_set.autoscalers, settings.period)
            lanes = tuple(_lanes(config_set)) if has_lanes else ()
            parts.fast.define(lanes)
            self._unscaled = _unscaled(config_set, lanes) if has_lanes else frozenset()
            self._ask_at(config_set)
            parts.controller.external = self._prometheus

    def attach(self, places: GivePlaces, source: Callable[[], SampleSource]) -> None:
        """Scale what runs there too, by what is counted there too; before anything is decided."""
        self._places.append(places)
        self._sources.append(source)
        if self.parts is not None:
            self.parts.sources.append(source())

    def targets(self) -> dict[WorkloadRef, Scaled]:
        """All workloads that are scaled."""
        if (parts := self.parts) is None:
            return {}
        return {
            each.target: Scaled(not each.least and not parts.executor.held(each), each.reads_resources)
            for each in self._scalers
        }

    async def size(self, workload: WorkloadRef) -> int | None:
        """How many replicas it is to have now, by this process' platform; None: that does not know it."""
        try:
            return (await self._target.read(workload)).desired if self._target is not None else None
        except KeyError:
            return None

    def only_watch(self) -> None:
        """Change nothing, whatever the NodeConfig says."""
        self._dry_run = True
        self.generation += 1
        if self.parts is not None:
            self.parts.executor.dry_run = True

    async def run(self) -> None:
        """Until cancelled."""
        await self._wanted.wait()
        assert self.parts is not None
        try:
            async with asyncio.TaskGroup() as beside:
                beside.create_task(self.parts.controller.run())
                beside.create_task(self.parts.fast.run())
        finally:
            if self._prometheus is not None:
                await self._prometheus.close()

    def stop(self) -> None:
        """Decide nothing more: what runs here is about to end."""
        self.stopped = True
        if self.parts is not None:
            self.parts.controller.define({}, 15.0)
            self.parts.fast.define(())

    def wakes(self, workload: WorkloadRef) -> bool:
        """Whether `workload` may sleep at zero."""
        return any(scaler.target == workload and not scaler.least for scaler in self._scalers)

    def held(self, workload: WorkloadRef) -> str:
        """Why nothing would come of an attempt to wake `workload` now; empty: it would be woken."""
        parts = self.parts
        sleepers = [each for each in self._scalers if each.target == workload and not each.least]
        if parts is None or not sleepers:
            return "no autoscaler is there"
        reasons = [parts.executor.held(each) for each in sleepers]
        return reasons[0] if all(reasons) else ""

    async def wake(self, workload: WorkloadRef) -> bool:
        """Have `workload`, which sleeps at zero, get its first replica now; False: nobody here will do that."""
        for scaler in self._scalers:
            if scaler.target == workload and self.parts is not None:
                return await self.parts.executor.wake(scaler)
        return False

    def families(self) -> Iterator[Family]:
        if self.parts is not None:
            from mesh.autoscaling.families import families

            yield from families(self._scalers)

    def status(self, key: ObjectKey) -> ObjectStatus | None:
        """What became of an autoscaler, or of the scaling of a policy; None for what is neither."""
        if key.kind == "TrafficPolicy" and Named(key.namespace, key.name) in self._unscaled:
            return ObjectStatus("degraded", (NOTHING_SCALED,))
        scaler = self.parts.scaler(key) if self.parts is not None else None
        if scaler is None or scaler.decision is None:
            return ACCEPTED if key.kind == "HorizontalPodAutoscaler" else None
        bad = [each.message for each in scaler.decision.conditions if _is_bad(each)]
        return ObjectStatus("degraded", tuple(bad)) if bad else ACCEPTED

    def document(self) -> tuple[int, Document]:
        """What the admin API says: each autoscaler, its last decision, and how that was made."""
        return 200, {"autoscalers": map(self._told, self._scalers)}

    def _make(self) -> Parts:
        sources = [source() for source in self._sources]
        return Parts(lambda: chain.from_iterable(give() for give in self._places), sources, self._standby)

    @property
    def _scalers(self) -> tuple[Scaler, ...]:
        return tuple(self.parts.scalers()) if self.parts is not None else ()

    def _ask_at(self, config_set: ConfigSet) -> None:
        """Ask the Prometheus that is written now."""
        from config.promql import read_access

        settings = config_set.node.autoscaler.prometheus
        try:
            access = read_access(settings, config_set.secrets) if settings.url else None
        except ValueError as problem:
            log.error("autoscaler.prometheus: %s", problem)
            access = None
        if access == self._access:
            return
        if self._prometheus is not None:
            closing = asyncio.get_running_loop().create_task(self._prometheus.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self._access, self._prometheus = access, None
        if access is not None:
            from sidecar.prometheus import Prometheus

            try:
                self._prometheus = Prometheus(access)
            except ValueError as problem:
                log.error("autoscaler.prometheus: %s", problem)

    def _told(self, scaler: Scaler) -> dict[str, Any]:
        decision = scaler.decision
        assert self.parts is not None
        told: dict[str, Any] = {
            "kind": scaler.kind,
            "namespace": scaler.name.namespace,
            "name": scaler.name.name,
            "target": f"{scaler.target.kind}/{scaler.target.name}",
            "minReplicas": scaler.least,
            "maxReplicas": scaler.most,
            "paused": scaler.paused,
            "dryRun": self.parts.executor.dry_run,
            "standby": self._standby(),
        }
        if decision is None:
            return told
        return told | {
            "at": timestamp(scaler.at),
            "currentReplicas": decision.current,
            "desiredReplicas": decision.desired,
            "word": decision.word,
            "reason": decision.reason,
            "metrics": [_metric(proposal) for proposal in decision.proposals],
            "conditions": [condition._asdict() for condition in decision.conditions],
            "steps": decision.steps,
        }


def _lanes(config_set: ConfigSet) -> Iterator[Lane]:
    """What policies ask for, of Services that are there."""
    from mesh.autoscaling.fast_lane import Lane

    for name, policy in sorted(config_set.policies.items()):
        found = config_set.scaled_by(policy)
        if policy.spec.scaling is None or len(found) != 1:
            continue
        [(kind, target)] = found
        reference = policy.spec.target_ref
        key, section = Named(name.namespace, reference.name), reference.section_name
        ports = config_set.services[key].spec.ports
        named = next((port.key for port in ports if section in (port.name, str(port.port))), section)
        yield Lane(policy.metadata, policy.spec.scaling, key, named if section else "", WorkloadRef(kind, *target))


def _unscaled(config_set: ConfigSet, lanes: Iterable[Lane]) -> frozenset[Named]:
    """The policies whose `scaling` has no effect."""
    specs = ((name, policy.spec) for name, policy in config_set.policies.items())
    scaling = {name for name, spec in specs if spec.scaling and spec.target_ref.kind == "Service"}
    return frozenset(scaling - {Named(lane.metadata.namespace, lane.metadata.name) for lane in lanes})


def _is_bad(condition: Condition) -> bool:
    from mesh.autoscaling.decision import ASLEEP

    return not condition.status and condition.type != "ScalingLimited" and condition.reason != ASLEEP


def _metric(proposal: Proposal) -> dict[str, Any]:
    return {
        "metric": proposal.metric,
        "value": proposal.value,
        "target": proposal.target,
        "ratio": proposal.ratio,
        "replicas": None if proposal.failure else proposal.replicas,
        "failure": proposal.failure,
        "steps": proposal.steps,
    }
