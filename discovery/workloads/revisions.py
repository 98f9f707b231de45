"""Which revision of a Deployment is to run: what the manifest says, what was changed beside it, what there was before.

An undo or a restart puts a template in force that holds until the manifest's own is another; the newest revision is
made ready to run by the runner, older ones again when they are needed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Generic

import msgspec

from config.resources.workloads import Deployment, PodTemplate
from discovery.workloads.history import CHANGE_CAUSE, Entry, Overlay, Record, basis_of, restarted
from discovery.workloads.runner import R, Runner, Unrunnable

ROLLBACK = "weft.dev/rollback-on-failure"
"""The annotation with which a revision that does not become ready in time gives way to the last that did."""

log = logging.getLogger("weft.deployment")


class NotNow(Exception):
    """A change that the Deployment does not take as it is, in words for the user."""


class Revisions(Generic[R]):
    """Use from the event loop's thread."""

    def __init__(self, runner: Runner[R], deployment: Deployment, record: Record, keep: Callable[[Record], None]):
        """`keep` is called with what is to be kept of it, when that differs."""
        self.record = record
        self.current: R | None = None
        """The newest; None: there is none that can run."""
        self.anew = True
        """It was made first for this rollout."""
        self.faults: tuple[str, ...] = ()
        """Why what is written cannot run here."""
        self._runner = runner
        self._deployment = deployment
        self._keep = keep
        self._made: dict[str, R] = {}

    @property
    def paused(self) -> bool:
        asked = self.record.paused
        return self._deployment.spec.paused if asked is None else asked

    @property
    def rolled_back(self) -> str:
        """Why an older template is in force, without anybody's asking."""
        return self.record.overlay.failed if self.record.overlay is not None else ""

    @property
    def departs(self) -> bool:
        """Whether the template in force is another than the manifest's, apart from a restart."""
        overlay = self.record.overlay
        return overlay is not None and restarted(overlay.template, "") != restarted(self._deployment.spec.template, "")

    @property
    def digest(self) -> str:
        """Of the newest; empty where there is none."""
        return self.current.digest if self.current is not None else ""

    def follow(self, deployment: Deployment) -> None:
        """What is written now.  A template that cannot run here leaves the last good one in force."""
        before, self._deployment = self._deployment, deployment
        if before.spec.paused != deployment.spec.paused:
            self._put(self.record.with_paused(None))
        overlay = self.record.overlay
        if overlay is not None and overlay.basis != basis_of(deployment.spec.template):
            self._put(self.record.with_overlay(None))
        self._revise()

    def get(self, digest: str) -> R | None:
        """The revision of that digest, if it can be made here again."""
        entry = self.record.find(digest)
        if digest not in self._made and entry is not None:
            try:
                made = self._runner.revise(self._with(entry.template))
            except Unrunnable:
                return None
            self._made[made.digest] = made
        return self._made.get(digest)

    def undo(self, number: int = 0) -> Entry | None:
        """Return to revision `number`, with 0 to the one before; returns it, None if its template is in force.

        Raises NotNow.
        """
        if self.paused:
            raise NotNow("it is paused: resume it first (weft rollout resume)")
        entry = self.record.earlier(number)
        if entry is None:
            raise NotNow(f"there is no revision {number} in its history" if number else "there is no earlier revision")
        if entry.template == self._template():
            return None
        self._overlay(entry.template)
        return entry

    def restart(self, at: str) -> None:
        """Have all replicas replaced; `at`: RFC 3339.  Raises NotNow."""
        if self.paused:
            raise NotNow("it is paused: resume it first (weft rollout resume)")
        before = self._template()
        after = restarted(before, at)
        if after == before:
            raise NotNow("it was restarted within this second already")
        self._overlay(after, self.rolled_back)

    def pause(self, *, paused: bool) -> None:
        """Raises NotNow where it is so already."""
        if paused == self.paused:
            raise NotNow("it is paused already" if paused else "it is not paused")
        self._put(self.record.with_paused(None if self._deployment.spec.paused == paused else paused))
        self._revise()

    def fail(self, words: str) -> bool:
        """The newest revision was not ready in time: return to the last that was, if that is asked for."""
        entry = self.record.last_complete()
        asked = self._deployment.metadata.annotations.get(ROLLBACK) == "true"
        if not asked or entry is None or self.rolled_back or self.paused:
            return False
        self._overlay(entry.template, f"{words}: rolled back to the template of revision {entry.number}")
        log.warning("rolled back", extra={"deployment": self._deployment.metadata.name, "reason": self.rolled_back})
        return True

    def complete(self, kept: Iterable[str]) -> None:
        """The newest revision is rolled out wholly; those of the digests `kept` have replicas."""
        self._put(self.record.with_complete(self.digest, self._deployment.spec.revision_history_limit, kept))
        self._forget_others()

    def _template(self) -> PodTemplate:
        """What is to be in force, were it not for a pause."""
        overlay = self.record.overlay
        return overlay.template if overlay is not None else self._deployment.spec.template

    def _overlay(self, template: PodTemplate, failed: str = "") -> None:
        written = self._deployment.spec.template
        overlay = None if template == written else Overlay(template, basis_of(written), failed)
        self._put(self.record.with_overlay(overlay))
        self._revise()

    def _revise(self) -> None:
        newest = self.record.current
        if not self.paused:
            self._make(self._template())
        elif newest is not None:
            self._make(newest.template)

    def _make(self, template: PodTemplate) -> None:
        before, self.faults = self.faults, ()
        try:
            made = self._runner.revise(self._with(template))
        except Unrunnable as error:
            self.faults = error.faults
            for fault in self.faults:
                if fault not in before:
                    log.error("deployment cannot run", extra={"reason": fault})
            return
        known = self.record.find(made.digest)
        if made.digest != self.digest:
            self.anew = known is None
        self.current = self._made[made.digest] = made
        written = self.record.overlay is None or known is None
        cause = self._deployment.metadata.annotations.get(CHANGE_CAUSE, "") if written else ""
        self._put(self.record.with_current(made.digest, template, cause))
        self._forget_others()

    def _forget_others(self) -> None:
        known = {entry.digest for entry in self.record.entries}
        self._made = {digest: made for digest, made in self._made.items() if digest in known}

    def _with(self, template: PodTemplate) -> Deployment:
        deployment = self._deployment
        if template is deployment.spec.template:
            return deployment
        return msgspec.structs.replace(deployment, spec=msgspec.structs.replace(deployment.spec, template=template))

    def _put(self, record: Record) -> None:
        if record != self.record:
            self.record = record
            self._keep(record)
