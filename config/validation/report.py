"""Where the checks put what they find: faults with the object, the path and the place in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from config.errors import Fault, Severity
from config.meta import ObjectKey, Source
from config.unread import Unread

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*")

Locate = Callable[[ObjectKey, str], Source]
"""The place of an object's field path; of the nearest parent that was written, when the field was not."""


class Report:
    """All faults of one validation, in the order in which they were found.

    `others` is the report of the objects that those of this one refer to, if they are not the same.
    """

    def __init__(self, locate: Locate, unread: Unread | None = None, others: Report | None = None) -> None:
        self.locate = locate
        self.unread = unread or Unread()
        self.others = others or self
        self.faults: list[Fault] = []

    def of(self, key: ObjectKey) -> ObjectReport:
        return ObjectReport(self, key)


class ObjectReport:
    """The report with one object filled in.

    Nothing is reported at or below a field that could not be read, nor when one of the fields `given` could not:
    those that the verdict rests on besides the one it is about (``*`` in them stands for every index).
    """

    __slots__ = ("_report", "key")

    def __init__(self, report: Report, key: ObjectKey) -> None:
        self._report = report
        self.key = key

    def error(self, path: str, message: str, *given: str) -> None:
        """The object cannot be used."""
        self._add("error", path, message, given)

    def shortcoming(self, path: str, message: str, *given: str) -> None:
        """An error that leaves the object in force: only what it is about cannot be carried out."""
        self._add("error", path, message, given, partial=True)

    def warning(self, path: str, message: str, *given: str) -> None:
        """The object is used, and probably does not do what was meant."""
        self._add("warning", path, message, given)

    def check(self, path: str, problem: str | None, *given: str) -> None:
        """An error if there is a `problem`: for the rules of `config.naming`."""
        if problem is not None:
            self._add("error", path, problem, given)

    def knows(self, *paths: str) -> bool:
        """Whether all of the object that is at, above or below these paths could be read."""
        return not any(self._report.unread.touches(self.key, path) for path in paths)

    def knows_of(self, key: ObjectKey, *paths: str) -> bool:
        """The same of another object."""
        return not any(self._report.others.unread.touches(key, path) for path in paths)

    def where(self, path: str = "") -> Source:
        return self._report.locate(self.key, path)

    def elsewhere(self, key: ObjectKey, path: str = "") -> str:
        """Another object and where it is written, for messages that name both."""
        return f"{key} ({self._report.others.locate(key, path)})"

    def _add(self, severity: Severity, path: str, message: str, given: Sequence[str], *, partial: bool = False) -> None:
        if not self._report.unread.covers(self.key, path) and self.knows(*given):
            self._report.faults.append(Fault(severity, self.where(path), message, self.key, path, partial))


def keyed(path: str, key: str) -> str:
    """The path of an entry of a map: ``metadata.labels.app``, ``data[tls.crt]``."""
    return f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{key if len(key) <= 60 else key[:57] + '...'}]"


def duplicates(values: Iterable[object]) -> Mapping[int, int]:
    """Position of every value that came before, to the position of its first appearance."""
    first: dict[object, int] = {}
    return {i: first[value] for i, value in enumerate(values) if first.setdefault(value, i) != i}


def problem_of(parse: Callable[[str], object], text: str) -> str | None:
    """What `parse` says against `text` (its ValueError), or None."""
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    return None
