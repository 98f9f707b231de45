"""Rows of a table run as one test, as most take less time than pytest takes for a test.

Only rows whose function is at the top of its module and takes its row's values, and at most what is the same for all
rows or made anew for each of them here: a folder, patches, a loop.  With other fixtures, marks or drawn examples each
row stays a test.  A row that fails keeps no other from running, and is named as pytest names it: given that name, it
runs alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

FOLDER, PATCHES, LOOP = "tmp_path", "monkeypatch", "_asyncio_loop_factory"
ANEW = {FOLDER, PATCHES, LOOP}
SHARED = {"size", "_prepared_readers", "event_loop_policy", "request", "tmp_path_factory"}
MARKS = {"parametrize", "asyncio", "both_loops"}


class Table(pytest.Function):
    """Several rows of one function."""

    def __init__(self, *, rows: Sequence[pytest.Function], **more: Any) -> None:
        super().__init__(**more)
        self.rows = rows

    @classmethod
    def of(cls, rows: Sequence[pytest.Function]) -> Table:
        first = rows[0]
        number = f"{len(rows)} rows"
        return cls.from_parent(
            first.parent,
            name=f"{first.originalname}[{number}]",
            callspec=replace(first.callspec, _idlist=[number]),
            callobj=first.obj,
            fixtureinfo=first._fixtureinfo,
            originalname=first.originalname,
            rows=rows,
        )

    def runtest(self) -> None:
        """All rows; raises what one of them raised, or a group of what several did."""
        failures: list[Exception] = []
        skipped: pytest.skip.Exception | None = None
        for number, row in enumerate(self.rows):
            try:
                self.run(row, number)
            except pytest.skip.Exception as skip:
                skipped = skip
            except Exception as failure:  # noqa: BLE001 - each row is told of
                failure.add_note(f"row: {row.nodeid}")
                failures.append(failure)
            except BaseException as ended:  # out of time, for one: the rows after it have none left
                ended.add_note(f"row: {row.nodeid}")
                raise
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise ExceptionGroup(f"{len(failures)} of {len(self.rows)} rows", failures)
        if skipped is not None:
            raise skipped

    def run(self, row: pytest.Function, number: int) -> None:
        given = {**self.funcargs, **row.callspec.params}
        if FOLDER in given:
            given[FOLDER] = self.funcargs[FOLDER] / str(number)
            given[FOLDER].mkdir()
        with self.undone():
            started = row.obj(**{name: given[name] for name in self._fixtureinfo.argnames})
            if inspect.iscoroutine(started):
                with asyncio.Runner(loop_factory=given[LOOP]) as runner:
                    runner.run(started)

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        try:
            yield
        finally:
            if PATCHES in self.funcargs:
                self.funcargs[PATCHES].undo()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Join what is left once all others have chosen: where one row is left of a table, it stays itself."""
    tables: dict[tuple[object, ...], list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and is_plain_row(item):
            loop: Callable[[], object] | None = item.callspec.params.get(LOOP)
            tables.setdefault((item.parent, item.originalname, loop), []).append(item)
    joined = {row: rows for rows in tables.values() if len(rows) > 1 for row in rows}
    items[:] = [
        Table.of(joined[item]) if item in joined else item
        for item in items
        if item not in joined or item is joined[item][0]
    ]


def is_plain_row(item: pytest.Function) -> bool:
    if not isinstance(item.parent, pytest.Module) or not hasattr(item, "callspec"):
        return False
    values = set(item.callspec.params)
    fixtures = item.session._fixturemanager
    return (
        not set(item.fixturenames) - values - SHARED - ANEW
        and "request" not in item._fixtureinfo.argnames
        and all(mark.name in MARKS for mark in item.iter_markers())
        and not any(fixtures.getfixturedefs(name, item) for name in values - {LOOP})
    )
