"""What the admin API says of Deployments and their revisions, and what is changed through it (``weft rollout``).

``/api/v1/rollouts``: GET lists Deployments with their numbers and conditions, and counts the looks at the manifests
whose findings are in force; POST with action, namespace and name
(and to-revision) carries out undo, restart, pause or resume.  ``/api/v1/rollouts/history`` with namespace and name
(and revision) lists revisions, or shows the template of one, without anything that may be a secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from config.meta import Named
from discovery.platforms.base import WorkloadStatus
from discovery.workloads.deployments import Deployments
from discovery.workloads.reconciler import Reconciler
from discovery.workloads.revisions import NotNow
from sidecar.documents import Answer, Document, Query, Question, Refused, Write
from sidecar.families import Reloads
from sidecar.logs import timestamp
from sidecar.platforms import Platforms
from sidecar.redaction import Hide, shown

if TYPE_CHECKING:
    from prometheus_client.core import Metric

PATH: Final = "/api/v1/rollouts"
HISTORY: Final = f"{PATH}/history"


def rollouts_of(platform: object, hide: Hide, reloads: Reloads) -> Rollouts:
    """Those of what runs replicas here."""
    return Rollouts(platform.deployments if isinstance(platform, Platforms) else None, hide, reloads)


class Rollouts:
    """Answers by path; says nothing where no Deployment can run."""

    def __init__(self, deployments: Deployments[Any] | None, hide: Hide, reloads: Reloads) -> None:
        """`deployments`: what runs here, None: nothing can; `hide`: what is shown of a value that is secret."""
        self._platform = deployments
        self._hide = hide
        self._reloads = reloads

    def answers(self) -> dict[str, Answer]:
        return {PATH: self.document} if self._platform is not None else {}

    def questions(self) -> dict[str, Question]:
        return {HISTORY: self.history} if self._platform is not None else {}

    def writes(self) -> dict[str, Write]:
        return {PATH: self.write} if self._platform is not None else {}

    def families(self) -> Iterator[Metric]:
        if self._platform is not None:
            from discovery.workloads.metrics import families

            yield from families(self._platform.statuses())

    def document(self) -> tuple[int, Document]:
        statuses = self._platform.statuses() if self._platform is not None else ()
        return 200, {"looks": self._reloads.looks, "rollouts": map(_told, statuses)}

    def history(self, query: Query) -> tuple[int, Document]:
        """Raises Refused."""
        rollout = self._find(query)
        record, number = rollout.revisions.record, _number(query, "revision")
        newest = record.current
        document = {
            "namespace": rollout.name.namespace,
            "name": rollout.name.name,
            "revision": newest.number if newest is not None else 0,
            "departs": rollout.revisions.departs,
            "revisions": [
                {"revision": entry.number, "digest": entry.digest, "changeCause": entry.cause}
                for entry in record.by_number
            ],
        }
        if not number:
            return 200, document
        entry = record.earlier(number)
        if entry is None:
            raise Refused(f"unable to find the specified revision: {number}", 404)
        spec = msgspec.structs.replace(rollout.written.spec, template=entry.template)
        plain = shown(msgspec.structs.replace(rollout.written, spec=spec), self._hide)
        return 200, {**document, "template": plain["spec"]["template"]}

    async def write(self, method: str, query: Query, _body: bytes) -> tuple[int, Document]:
        """Raises Refused."""
        if method != "POST":
            raise Refused(f"{PATH} takes POST", 405)
        action = _one(query, "action")
        if action not in _ACTIONS:
            raise Refused(f"action is one of {', '.join(_ACTIONS)}")
        rollout = self._find(query)
        try:
            done = _ACTIONS[action](rollout, query)
        except NotNow as error:
            raise Refused(f"deployment {rollout.name}: {error}", 409) from None
        rollout.reconcile()
        return 200, {"namespace": rollout.name.namespace, "name": rollout.name.name, "done": done}

    def _find(self, query: Query) -> Reconciler[Any]:
        name = Named(_one(query, "namespace"), _one(query, "name"))
        try:
            assert self._platform is not None
            return self._platform.rollout(name)
        except KeyError:
            raise Refused(f"no Deployment {name} runs here", 404) from None


def _undo(rollout: Reconciler[Any], query: Query) -> str:
    number = _number(query, "to-revision")
    entry = rollout.revisions.undo(number)
    if entry is None:
        return f"skipped rollback (current template already matches revision {number})"
    return "rolled back"


def _restart(rollout: Reconciler[Any], _query: Query) -> str:
    rollout.revisions.restart(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    return "restarted"


def _pause(rollout: Reconciler[Any], _query: Query) -> str:
    rollout.revisions.pause(paused=True)
    return "paused"


def _resume(rollout: Reconciler[Any], _query: Query) -> str:
    rollout.revisions.pause(paused=False)
    return "resumed"


_ACTIONS: Mapping[str, Callable[[Reconciler[Any], Query], str]] = {
    "undo": _undo,
    "restart": _restart,
    "pause": _pause,
    "resume": _resume,
}


def _told(status: WorkloadStatus) -> dict[str, Any]:
    return {
        "namespace": status.workload.namespace,
        "name": status.workload.name,
        "revision": status.revision,
        "paused": status.paused,
        "replicas": status.desired,
        "existing": status.existing,
        "updated": status.updated,
        "ready": status.ready,
        "available": status.available,
        "unavailable": status.unavailable,
        "message": status.message,
        "rolledBack": status.rolled_back,
        "departs": status.departs,
        "conditions": [
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "message": each.message,
                "lastUpdateTime": timestamp(each.updated),
                "lastTransitionTime": timestamp(each.changed),
            }
            for each in status.conditions
        ],
    }


def _one(query: Query, name: str) -> str:
    return query.get(name, [""])[0]


def _number(query: Query, name: str) -> int:
    text = _one(query, name) or "0"
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise Refused(f"{name} is the number of a revision")
    return int(text)
