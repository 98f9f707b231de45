"""What a Deployment was: its revisions, and what was changed beside the manifest (``weft rollout``).

As Kubernetes' ReplicaSets do, a revision keeps the pod template under a number; one that is returned to gets a new
number.  Manifests are the source, so that what is changed beside them is an overlay: it holds until the manifest's own
template is another.  Records are plain values, kept in the state folder as a file for each Deployment.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from config.errors import Fault
from config.meta import Named, Source
from config.resources.workloads import PodTemplate
from discovery.workloads.names import digest_of

CHANGE_CAUSE = "kubernetes.io/change-cause"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
MOST_UNFINISHED = 20
"""Revisions that were never rolled out wholly, and that are kept."""
LARGEST_FILE = 32 * 1024 * 1024


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A revision; entries of a record are in the order in which they were first made."""

    number: int
    digest: str
    template: PodTemplate
    cause: str = ""
    """Of the annotation ``kubernetes.io/change-cause``."""
    complete: bool = False
    """Whether it was rolled out wholly once."""


class Overlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The template that is in force instead of the manifest's."""

    template: PodTemplate
    basis: str
    """Digest of the manifest's template that it stands for."""
    failed: str = ""
    """Why it was put there without anybody's asking; empty: somebody asked."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is kept of one Deployment."""

    entries: tuple[Entry, ...] = ()
    overlay: Overlay | None = None
    paused: bool | None = None
    """Paused or resumed beside the manifest; None: as that says."""

    @property
    def current(self) -> Entry | None:
        """The one with the highest number."""
        return max(self.entries, key=lambda entry: entry.number, default=None)

    @property
    def by_number(self) -> list[Entry]:
        """From the oldest number to the highest."""
        return sorted(self.entries, key=lambda entry: entry.number)

    def find(self, digest: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.digest == digest), None)

    def earlier(self, number: int = 0) -> Entry | None:
        """The revision to return to: that `number`, or with 0 the one before the current."""
        if number:
            return next((entry for entry in self.entries if entry.number == number), None)
        return next(iter(self.by_number[-2:-1]), None)

    def last_complete(self) -> Entry | None:
        """The newest one before the current that was rolled out wholly."""
        return next((entry for entry in self.by_number[-2::-1] if entry.complete), None)

    def with_current(self, digest: str, template: PodTemplate, cause: str) -> Record:
        """With this revision as the newest; one that is known keeps its cause unless another is given."""
        newest, known = self.current, self.find(digest)
        if newest is None or known is None:
            number = newest.number + 1 if newest is not None else 1
            unfinished = [entry.digest for entry in self.by_number if not entry.complete]
            gone = set(unfinished[: -MOST_UNFINISHED + 1])
            kept = (entry for entry in self.entries if entry.digest not in gone)
            return self._with((*kept, Entry(number, digest, template, cause)))
        number = newest.number if known is newest else newest.number + 1
        now = msgspec.structs.replace(known, number=number, template=template, cause=cause or known.cause)
        return self if now == known else self._with(now if each is known else each for each in self.entries)

    def with_complete(self, digest: str, limit: int, kept: Iterable[str]) -> Record:
        """Once `digest` is rolled out wholly: at most `limit` older ones stay, the oldest go; `kept` always stay."""
        entries = [
            msgspec.structs.replace(entry, complete=True) if entry.digest == digest else entry for entry in self.entries
        ]
        keep = {digest, *kept}
        spare = [entry for entry in sorted(entries, key=lambda each: each.number) if entry.digest not in keep]
        gone = {entry.digest for entry in spare[: max(0, len(spare) - limit)]}
        return self._with(entry for entry in entries if entry.digest not in gone)

    def with_overlay(self, overlay: Overlay | None) -> Record:
        return msgspec.structs.replace(self, overlay=overlay)

    def with_paused(self, paused: bool | None) -> Record:
        return msgspec.structs.replace(self, paused=paused)

    def _with(self, entries: Iterable[Entry]) -> Record:
        return msgspec.structs.replace(self, entries=tuple(entries))


def basis_of(template: PodTemplate) -> str:
    """What says whether a manifest's template is still the same."""
    return digest_of(msgspec.json.encode(template, order="deterministic"))


def restarted(template: PodTemplate, at: str) -> PodTemplate:
    """`template`, but that its replicas are others; `at`: RFC 3339."""
    metadata = template.metadata
    annotations = {**metadata.annotations, RESTARTED_AT: at}
    return msgspec.structs.replace(template, metadata=msgspec.structs.replace(metadata, annotations=annotations))


def file_of(folder: Path, name: Named) -> Path:
    """Namespaces have no dot, so that the first one in the file's name ends them."""
    return folder / f"{name.namespace}.{name.name}.json"


def encode_record(record: Record) -> bytes:
    return msgspec.json.encode(record, order="deterministic")


def load_record(path: Path) -> tuple[Record, tuple[Fault, ...]]:
    """What is kept in `path`: nothing if there is no such file; nothing and a warning if it cannot be read."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError("it is too large")
        return msgspec.json.decode(path.read_bytes(), type=Record), ()
    except FileNotFoundError:
        return Record(), ()
    except (OSError, ValueError, RecursionError) as error:
        words = f"the revisions of a Deployment cannot be read ({error}): they are counted anew"
        return Record(), (Fault("warning", Source(str(path), 1, 1), words),)
