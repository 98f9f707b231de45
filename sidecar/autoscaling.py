"""The autoscaler of this process: the loop over what this machine runs and serves, and what is told of it.

Most processes have no HorizontalPodAutoscaler, so that nothing of it is imported before there is one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from config.configset import ConfigSet
from config.meta import Named, ObjectKey
from mesh.exposition import Family
from mesh.live import Live
from mesh.status import ACCEPTED, ObjectStatus
from sidecar.documents import Document
from sidecar.logs import timestamp

if TYPE_CHECKING:
    from mesh.autoscaling.controller import Controller, Scaler
    from mesh.autoscaling.proposal import Proposal
    from mesh.autoscaling.target import ScaleTarget


def steady_clock() -> Callable[[], float]:
    """Unix seconds that never jump: those of now, and from then on the monotonic clock."""
    began = time.time() - time.monotonic()
    return lambda: began + time.monotonic()


class Autoscaling:
    """Needs a task of the caller for `run`."""

    def __init__(self, config_set: ConfigSet, live: Live, target: ScaleTarget) -> None:
        self.controller: Controller | None = None
        """None: there was no autoscaler yet."""
        self._live = live
        self._target = target
        self._dry_run = False
        self._wanted = asyncio.Event()
        self.define(config_set)

    def define(self, config_set: ConfigSet) -> None:
        """What is written now."""
        settings = config_set.node.autoscaler
        self._dry_run = settings.dry_run
        if self.controller is None and config_set.autoscalers:
            self.controller = self._make()
            self._wanted.set()
        if self.controller is not None:
            self.controller.define(config_set.autoscalers, settings.period, settings.dry_run)

    async def run(self) -> None:
        """Until cancelled."""
        await self._wanted.wait()
        assert self.controller is not None
        await self.controller.run()

    def stop(self) -> None:
        """Decide nothing more: what runs here is about to end."""
        if self.controller is not None:
            self.controller.forget()

    def families(self) -> Iterator[Family]:
        if self.controller is not None:
            from mesh.autoscaling.families import families

            yield from families(self._scalers)

    def status(self, key: ObjectKey) -> ObjectStatus | None:
        """What became of a HorizontalPodAutoscaler; None for what is none."""
        if key.kind != "HorizontalPodAutoscaler":
            return None
        scaler = self._scalers.get(Named(key.namespace, key.name))
        if scaler is None or scaler.decision is None:
            return ACCEPTED
        bad = [each.message for each in scaler.decision.conditions if not each.status and each.type != "ScalingLimited"]
        return ObjectStatus("degraded", tuple(bad)) if bad else ACCEPTED

    def document(self) -> tuple[int, Document]:
        """What the admin API says: each autoscaler, its last decision, and how that was made."""
        return 200, {"autoscalers": (self._told(name, each) for name, each in self._scalers.items())}

    @property
    def _scalers(self) -> dict[Named, Scaler]:
        return self.controller.scalers if self.controller is not None else {}

    def _make(self) -> Controller:
        from mesh.autoscaling.controller import Controller
        from mesh.autoscaling.loads import LiveSource

        return Controller(self._target, LiveSource(self._live), steady_clock())

    def _told(self, name: Named, scaler: Scaler) -> dict[str, Any]:
        spec, decision = scaler.hpa.spec, scaler.decision
        told: dict[str, Any] = {
            "namespace": name.namespace,
            "name": name.name,
            "target": f"{scaler.target.kind}/{scaler.target.name}",
            "minReplicas": spec.min_replicas,
            "maxReplicas": spec.max_replicas,
            "paused": scaler.paused,
            "dryRun": self._dry_run,
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
