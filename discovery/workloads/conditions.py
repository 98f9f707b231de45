"""What is said of a Deployment's progress: conditions and reasons, in Kubernetes' words (apps/v1 DeploymentStatus).

Pure functions of what was said before, how many replicas of what kind there are, and the time.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

CREATED = "NewReplicaSetCreated"
FOUND = "FoundNewReplicaSet"
UPDATED = "ReplicaSetUpdated"
AVAILABLE = "NewReplicaSetAvailable"
EXCEEDED = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"
UNRUNNABLE = "ReplicaSetCreateError"
NO_DEADLINE = 2**31 - 1
"""Of ``progressDeadlineSeconds``: progress is not judged."""


class Condition(msgspec.Struct, frozen=True):
    type: str
    status: str
    """``True``, ``False`` or ``Unknown``."""
    reason: str
    message: str = ""
    updated: float = 0.0
    """Unix time at which it was last said anew: the deadline counts from there."""
    changed: float = 0.0
    """Unix time at which `status` last changed."""


class Counts(NamedTuple):
    """Replicas of a Deployment; terminating ones count nowhere."""

    desired: int = 0
    wanted: int = 0
    """Sum of the sizes of all groups."""
    existing: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0

    @property
    def unavailable(self) -> int:
        return max(0, self.wanted - self.available)

    @property
    def complete(self) -> bool:
        return self.updated == self.existing == self.available == self.desired

    def beyond(self, before: Counts) -> bool:
        """Whether there is progress since `before`: more new, fewer old, more ready or available."""
        fewer_old = self.existing - self.updated < before.existing - before.updated
        more = self.updated > before.updated or self.ready > before.ready or self.available > before.available
        return more or fewer_old


def said(before: Condition | None, status: str, reason: str, message: str, now: float) -> Condition:
    """Progressing, said anew."""
    changed = before.changed if before is not None and before.status == status else now
    return Condition("Progressing", status, reason, message, now, changed)


def begun(name: str, now: float, *, anew: bool, complete: bool = False) -> Condition:
    """The rollout of a group begins; `anew`: it has not existed before; `complete`: an earlier weft has rolled it out.

    The latter is judged no more: what does not come back after a restart is no new revision that fails.
    """
    if complete:
        return Condition(
            "Progressing", "True", AVAILABLE, f'ReplicaSet "{name}" has successfully progressed.', now, now
        )
    if anew:
        return Condition("Progressing", "True", CREATED, f'Created new replica set "{name}"', now, now)
    return Condition("Progressing", "True", FOUND, f'Found new replica set "{name}"', now, now)


def progressing(
    before: Condition, counts: Counts, counts_before: Counts, *, deadline: float, now: float, name: str
) -> Condition:
    """What is to be said now of the group `name`; the same object where nothing is to be said anew."""
    done = before.reason == AVAILABLE
    if deadline >= NO_DEADLINE or (done and counts.existing == counts.updated):
        return before
    if counts.complete:
        return said(before, "True", AVAILABLE, f'ReplicaSet "{name}" has successfully progressed.', now)
    if counts.beyond(counts_before):
        return said(before, "True", UPDATED, f'ReplicaSet "{name}" is progressing.', now)
    if not done and before.reason != EXCEEDED and before.updated + deadline <= now:
        return said(before, "False", EXCEEDED, f'ReplicaSet "{name}" has timed out progressing.', now)
    return before


def pausing(before: Condition | None, *, paused: bool, now: float) -> Condition | None:
    """What a pause or its end makes of Progressing; a deadline that has passed stays said."""
    if before is not None and before.reason == EXCEEDED:
        return before
    was_paused = before is not None and before.reason == PAUSED
    if paused and not was_paused:
        return said(before, "Unknown", PAUSED, "Deployment is paused", now)
    if was_paused and not paused:
        return said(before, "Unknown", RESUMED, "Deployment is resumed", now)
    return before


def available(before: Condition | None, counts: Counts, fewer: int, now: float) -> Condition:
    """Whether there are as many as there must be; `fewer`: how many may be unavailable."""
    enough = counts.available >= counts.desired - fewer
    if enough:
        status, reason, message = "True", "MinimumReplicasAvailable", "Deployment has minimum availability."
    else:
        status, reason = "False", "MinimumReplicasUnavailable"
        message = "Deployment does not have minimum availability."
    if before is not None and before.status == status:
        return before
    return Condition("Available", status, reason, message, now, now)


def counts_down(progress: Condition) -> bool:
    """Whether a deadline is running."""
    return progress.reason not in (AVAILABLE, EXCEEDED, PAUSED)
