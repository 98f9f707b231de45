"""One Deployment: its replicas, brought one step at a time to what is wanted.

What the next step is, `rollout` decides; here it is carried out on a `Runner`, after every change and when time alone
makes one: a replica has been ready for long enough, or a deadline has passed.  What is said of it is `conditions`'.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic

from config.meta import Named
from config.resources.workloads import Deployment
from discovery.endpoint import WorkloadRef
from discovery.platforms.base import ContainerUsage, WorkloadStatus
from discovery.workloads import conditions
from discovery.workloads.conditions import Condition, Counts
from discovery.workloads.history import Record
from discovery.workloads.names import replica_id
from discovery.workloads.revisions import Revisions
from discovery.workloads.rollout import Copy, Group, Wanted, limits, next_sizes, surplus
from discovery.workloads.runner import CannotStart, R, ReplicaHandle, Runner

_AT_ONCE = 16
"""Replicas that are made before the loop turns: each takes a few hundred microseconds."""
_TRY_AGAIN = 2.0
"""Seconds after a replica could not be started."""
_LONGEST_WAIT = 60.0
"""Seconds; the clock may be set meanwhile."""

log = logging.getLogger("weft.deployment")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all Deployments of a platform share."""

    random: Random
    clock: Callable[[], float]
    """Unix time."""
    publish: Callable[[], None]
    """Called after replicas were started or stopped."""
    keep: Callable[[Named, Record], None]
    """Called with what is to be kept over restarts."""


class Reconciler(Generic[R]):
    """The replicas of one Deployment.  Use from the event loop's thread."""

    def __init__(
        self, runner: Runner[R], deployment: Deployment, around: Surroundings, record: Record | None = None
    ) -> None:
        """Runs nothing before the first `update`; `record`: what was kept of it."""
        self.name = name = Named(deployment.metadata.namespace, deployment.metadata.name)
        self.workload = WorkloadRef("Deployment", *name)
        self.retired = False
        """It is gone from the manifests."""
        self.revisions = Revisions(runner, deployment, record or Record(), lambda record: around.keep(name, record))
        self._runner = runner
        self._around = around
        self.written = deployment
        """As the manifest says."""
        self._spec = deployment.spec
        self._desired = deployment.spec.replicas
        self._autoscaled = False
        self._victims: frozenset[str] = frozenset()
        self._sizes: dict[str, int] = {}
        """How many replicas there are to be, by digest."""
        self._sized_for: int | None = None
        self._progress: Condition | None = None
        self._availability: Condition | None = None
        self._counts = Counts()
        self._rolling = ""
        """Digest of the revision whose progress is told."""
        self._obstacle = ""
        """Why a replica could not be started."""
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def update(self, deployment: Deployment, *, autoscaled: bool = False) -> None:
        """Follow the manifest; a number that `scale` set stands until the manifest's own changes.

        With `autoscaled` it stands even then, but that 0 in the manifest switches the Deployment off, and another
        number after that on.  Once it is not autoscaled any more the manifest's number holds again.
        """
        released, self._autoscaled = self._autoscaled and not autoscaled, autoscaled
        before, written = self._spec.replicas, deployment.spec.replicas
        if self.retired or released or (written != before and not (autoscaled and written and before)):
            self._desired = written
        self.retired = False
        self.written, self._spec = deployment, deployment.spec
        self.revisions.follow(deployment)
        self.reconcile()

    def scale(self, replicas: int, victims: Collection[str] = ()) -> None:
        self._desired = replicas
        self._victims = frozenset(victims)
        self.reconcile()

    def retire(self) -> None:
        """The Deployment is gone: stop all its replicas."""
        self.retired = True
        self._desired = 0
        self.reconcile()

    def stop(self) -> None:
        """Take no step any more."""
        self._stopped = True
        self._forget_timer()

    def reconcile(self) -> None:
        """Take all steps that can be taken now."""
        self._forget_timer()
        if self._stopped or not self._runner.known:
            return
        if self.retired:
            self._end_all()
            return
        started, copies = self._take_steps()
        if self._observe(copies) or started == _AT_ONCE:
            asyncio.get_running_loop().call_soon(self.reconcile)
        else:
            self._wait(copies)

    @property
    def replicas(self) -> tuple[ReplicaHandle, ...]:
        """All that exist, oldest first."""
        return tuple(self._runner.replicas(self.workload))

    @property
    def desired(self) -> int:
        """Replicas that there are to be now."""
        return self._desired

    def usage(self) -> dict[str, tuple[ContainerUsage, ...]]:
        return {replica.id: replica.usage() for replica in self.replicas}

    def status(self) -> WorkloadStatus:
        statuses = tuple(replica.status() for replica in self.replicas)
        current = [status for status in statuses if not status.terminating]
        messages = [f"{status.id}: {status.message}" for status in current if status.message]
        held = "it is paused, and nothing of it has run yet" if self.revisions.paused and not self._rolling else ""
        revisions, counts = self.revisions, self._count(self._copies())
        newest = revisions.record.current
        return WorkloadStatus(
            workload=self.workload,
            desired=self._desired,
            running=sum(status.running for status in current),
            ready=counts.ready,
            updated=counts.updated,
            restarts=sum(status.restarts for status in current),
            message=next((text for text in (*revisions.faults, self._obstacle, held, *messages) if text), ""),
            replicas=statuses,
            existing=counts.existing,
            available=counts.available,
            unavailable=counts.unavailable,
            revision=newest.number if newest is not None else 0,
            paused=revisions.paused,
            conditions=tuple(self._conditions()),
            rolled_back=revisions.rolled_back,
            departs=revisions.departs,
        )

    # One step

    def _take_steps(self) -> tuple[int, dict[str, list[Copy]]]:
        """Returns how many replicas were started, and all that exist then."""
        started, stopped, moved = 0, 0, True
        copies = self._copies()
        while moved and started < _AT_ONCE:
            before = dict(self._sizes), self._sized_for
            more, fewer = self._step(copies, _AT_ONCE - started)
            started, stopped = started + more, stopped + fewer
            moved = (self._sizes, self._sized_for) != before
            if more or fewer:
                copies = self._copies()
        if started or stopped:
            self._around.publish()
        return started, copies

    def _step(self, copies: Mapping[str, Sequence[Copy]], most: int) -> tuple[int, int]:
        """How many replicas were started (at most `most`) and stopped."""
        groups = self._groups(copies)
        wanted = Wanted(self._desired, self._spec.strategy, self.revisions.paused, self._sized_for)
        self._sizes.update(next_sizes(wanted, groups, self.revisions.digest))
        self._sized_for = self._desired
        started = stopped = 0
        for digest, size in tuple(self._sizes.items()):
            there = [copy for copy in copies.get(digest, ()) if not copy.terminating]
            stopped += self._end(surplus(size, there, self._victims))
            if size > len(there):
                started += self._start(min(size - len(there), most - started), digest, len(there))
        return started, stopped

    def _copies(self) -> dict[str, list[Copy]]:
        """All that exist, by digest."""
        found: dict[str, list[Copy]] = {}
        for each in self._runner.replicas(self.workload):
            copy = Copy(each.id, each.digest, each.ready, each.since, each.terminating)
            found.setdefault(copy.digest, []).append(copy)
        return found

    def _groups(self, copies: Mapping[str, Sequence[Copy]]) -> list[Group]:
        """Of all revisions that have replicas or are to have some; what was found running counts as wanted."""
        found = {digest: sum(not copy.terminating for copy in there) for digest, there in copies.items()}
        sizes = found | self._sizes
        self._sizes = {digest: size for digest, size in sizes.items() if size or digest in found}
        ages = {entry.digest: place for place, entry in enumerate(self.revisions.record.entries)}
        ordered = sorted(self._sizes, key=lambda digest: ages.get(digest, -1))
        return [self._group(digest, copies.get(digest, ())) for digest in ordered]

    def _group(self, digest: str, copies: Sequence[Copy]) -> Group:
        return Group(digest, self._sizes[digest], self._available(copies), len(copies))

    def _available(self, copies: Iterable[Copy]) -> int:
        now, least = self._around.clock(), self._spec.min_ready_seconds
        return sum([copy.available(now, least) if least else copy.ready for copy in copies])

    def _end(self, ids: Collection[str]) -> int:
        for replica in self.replicas if ids else ():
            if replica.id in ids:
                replica.terminate()
                log.info("replica is stopped", extra={"replica": replica.id})
        return len(ids)

    def _end_all(self) -> None:
        self._sizes.clear()
        if self._end([replica.id for replica in self.replicas if not replica.terminating]):
            self._around.publish()

    def _start(self, count: int, digest: str, there: int) -> int:
        """Start up to `count` replicas beside those that are `there`, and return how many."""
        revision = self.revisions.get(digest)
        if revision is None:  # it can no longer be made: what is left of it is all there will be
            self._sizes[digest] = there
            return 0
        taken = {replica.id for replica in self.replicas}
        for started in range(count):
            name = replica_id(self.workload.name, digest, self._around.random, taken)
            taken.add(name)
            try:
                self._runner.start(self.workload, revision, name)
            except CannotStart as error:
                if str(error) != self._obstacle:
                    log.error("replica cannot be started", extra={"replica": name, "reason": str(error)})
                self._obstacle = str(error)
                return started
        self._obstacle = ""
        return count

    # What is said of it

    def _observe(self, copies: Mapping[str, Sequence[Copy]]) -> bool:
        """Say anew what is to be said; whether that has changed what is to run."""
        now, counts, revisions = self._around.clock(), self._count(copies), self.revisions
        before, self._counts = self._counts, counts
        fewer = limits(self._desired, self._spec.strategy)[1]
        self._availability = conditions.available(self._availability, counts, fewer, now)
        if revisions.digest != self._rolling:
            newest = revisions.record.current
            complete = not self._rolling and newest is not None and newest.complete
            self._rolling = revisions.digest
            self._progress = conditions.begun(self._group_name, now, anew=revisions.anew, complete=complete)
        self._progress = conditions.pausing(self._progress, paused=revisions.paused, now=now)
        if self._progress is None or revisions.paused:
            return False
        was, deadline = self._progress.reason, self._spec.progress_deadline_seconds
        self._progress = conditions.progressing(
            self._progress, counts, before, deadline=deadline, now=now, name=self._group_name
        )
        return self._progress.reason != was and self._turned(self._progress)

    def _turned(self, progress: Condition) -> bool:
        """The reason of Progressing is another; whether that has changed what is to run."""
        if progress.reason == conditions.AVAILABLE:
            self.revisions.complete(digest for digest, size in self._sizes.items() if size)
        if progress.reason != conditions.EXCEEDED:
            return False
        log.warning("rollout has stopped", extra={"deployment": str(self.name), "reason": progress.message})
        newest = self.revisions.record.current
        return self.revisions.fail(f"revision {newest.number if newest else 0} exceeded its progress deadline")

    @property
    def _group_name(self) -> str:
        return f"{self.name.name}-{self.revisions.digest}"

    def _count(self, copies: Mapping[str, Sequence[Copy]]) -> Counts:
        alive = [copy for there in copies.values() for copy in there if not copy.terminating]
        newest = "" if self.revisions.faults else self.revisions.digest
        return Counts(
            desired=self._desired,
            wanted=sum(self._sizes.values()),
            existing=len(alive),
            updated=sum(copy.digest == newest for copy in alive),
            ready=sum(copy.ready for copy in alive),
            available=self._available(alive),
        )

    def _conditions(self) -> list[Condition]:
        found = [each for each in (self._availability, self._progress) if each is not None]
        if self.revisions.faults:
            words = "; ".join(self.revisions.faults)
            found = [each for each in found if each.type != "Progressing"]
            found.append(Condition("Progressing", "False", conditions.UNRUNNABLE, words))
        if self._obstacle:
            found.append(Condition("ReplicaFailure", "True", "FailedCreate", self._obstacle))
        return found

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, copies: Mapping[str, Sequence[Copy]]) -> None:
        """Come back when time alone makes a step."""
        now, spec = self._around.clock(), self._spec
        ready = (copy for there in copies.values() for copy in there if copy.ready and spec.min_ready_seconds)
        times = [copy.since + spec.min_ready_seconds for copy in ready]
        if (progress := self._progress) is not None and conditions.counts_down(progress):
            times.append(progress.updated + spec.progress_deadline_seconds)
        if self._obstacle:  # what lacked may come free elsewhere, and nobody would say so
            times.append(now + _TRY_AGAIN)
        if later := [time for time in times if time > now]:
            delay = min(min(later) - now, _LONGEST_WAIT)
            self._timer = asyncio.get_running_loop().call_later(delay + 0.001, self.reconcile)
