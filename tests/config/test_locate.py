"""From object and path to line and column."""

from __future__ import annotations

import pytest

from config.documents import parse
from config.errors import FaultList
from config.locate import Locator
from config.meta import ObjectKey, Source

KEY = ObjectKey("Service", "default", "web")
TEXT = """\
kind: Service
metadata:
  labels:
    app: web
    app.kubernetes.io/name: web
spec:
  ports:
  - port: 80
    name: http
  - port: 81
  80: x
"""
PLACES = [
    ("", 1, 1),
    ("kind", 1, 7),
    ("metadata.labels.app", 4, 10),
    ("metadata.labels[app]", 4, 10),
    ("metadata.labels[app.kubernetes.io/name]", 5, 29),
    ("metadata.labels.app.kubernetes.io/name", 5, 29),
    ("metadata.labels.other", 4, 5),
    ("metadata.name", 3, 3),
    ("spec.ports[0].name", 9, 11),
    ("spec.ports[1]", 10, 5),
    ("spec.ports[1].name", 10, 5),
    ("spec.ports[9].name", 8, 3),
    ("spec.80", 11, 7),
    ("spec.ports[0].port.deeper", 8, 11),
    ("nothing.at[0].all", 1, 1),
    ("[", 1, 1),
]


@pytest.mark.parametrize(("path", "line", "column"), PLACES)
def test_the_nearest_parent_that_was_written(path: str, line: int, column: int) -> None:
    (document,) = parse(TEXT, "f", FaultList())
    locator = Locator()
    locator.add(KEY, document, document.root)
    assert locator.locate(KEY, path) == Source("f", line, column)


def test_unknown_objects_are_nowhere() -> None:
    assert Locator().locate(KEY, "spec") == Source("", 1, 1)
    assert KEY not in Locator()
