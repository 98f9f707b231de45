"""Rows of a table run as one test, as most take less time than pytest takes for a test.

Only rows that are plain calls are joined: of a function at the top of its module that takes nothing but its row's
values, and has no mark but `parametrize`; with a fixture, a loop, a class or drawn examples each row stays a test.  A row that fails keeps no other from running, and is named as pytest names it: given that name, it runs alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

EVERYWHERE = {"event_loop_policy"}
"""Of pytest-asyncio, for all tests: it sets up nothing."""


class Table(pytest.Item):
    """Several rows of one function."""

    def __init__(self, *, rows: Sequence[pytest.Function], **more: Any) -> None:
        super().__init__(**more)
        self.rows = rows

    def runtest(self) -> None:
        """All rows; raises what one of them raised, or a group of what several did."""
        failures: list[Exception] = []
        skipped: pytest.skip.Exception | None = None
        for row in self.rows:
            try:
                row.obj(**row.callspec.params)
            except pytest.skip.Exception as skip:
                skipped = skip
            except pytest.fail.Exception as late:  # out of time: the rows after it have none left
                late.add_note(f"row: {row.nodeid}")
                raise
            except Exception as failure:  # noqa: BLE001 - each row is told of
                failure.add_note(f"row: {row.nodeid}")
                failures.append(failure)
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise ExceptionGroup(f"{len(failures)} of {len(self.rows)} rows", failures)
        if skipped is not None:
            raise skipped

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return self.rows[0].repr_failure(excinfo)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        path, line, _ = self.rows[0].reportinfo()
        return path, line, self.name


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Join what is left once all others have chosen: where one row is left of a table, it stays itself."""
    tables: dict[tuple[object, str], list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and is_plain_row(item):
            tables.setdefault((item.parent, item.originalname), []).append(item)
    joined = {row: rows for rows in tables.values() if len(rows) > 1 for row in rows}
    items[:] = [
        table(joined[item]) if item in joined else item
        for item in items
        if item not in joined or item is joined[item][0]
    ]


def is_plain_row(item: pytest.Function) -> bool:
    if type(item) is not pytest.Function or not isinstance(item.parent, pytest.Module) or not hasattr(item, "callspec"):
        return False
    if set(item.fixturenames) - EVERYWHERE != set(item.callspec.params):
        return False
    fixtures = item.session._fixturemanager
    return all(mark.name == "parametrize" for mark in item.iter_markers()) and not any(
        fixtures.getfixturedefs(name, item) for name in item.callspec.params
    )


def table(rows: Sequence[pytest.Function]) -> Table:
    first = rows[0]
    return Table.from_parent(first.parent, name=f"{first.originalname}[{len(rows)} rows]", rows=rows)
