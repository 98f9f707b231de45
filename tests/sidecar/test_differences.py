"""Differences field by field: all of them, and none where there is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.meta import ObjectKey
from sidecar.differences import ABSENT, Change, changes, differences
from tests.texts import texts

CASES: dict[str, tuple[Any, Any, list[Change]]] = {
    "equal": ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, []),
    "a value": ({"a": {"b": 1}}, {"a": {"b": 2}}, [Change("a.b", 1, 2)]),
    "a field more": ({}, {"a": 1}, [Change("a", ABSENT, 1)]),
    "a field less": ({"a": {"b": 1}}, {}, [Change("a", {"b": 1}, ABSENT)]),
    "another shape": ({"a": 1}, {"a": [1]}, [Change("a", 1, [1])]),
    "an item more": ({"a": [1]}, {"a": [1, 2]}, [Change("a[1]", ABSENT, 2)]),
    "an item less": ({"a": [1, 2]}, {"a": [1]}, [Change("a[1]", 2, ABSENT)]),
    "an item by name": (
        {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]},
        {"ports": [{"name": "c", "port": 9}, {"name": "a", "port": 1}, {"name": "b", "port": 3}]},
        [Change("ports[b].port", 2, 3), Change("ports[c]", ABSENT, {"name": "c", "port": 9})],
    ),
    "names that are shared": (
        {"a": [{"name": "x", "v": 1}, {"name": "x", "v": 2}]},
        {"a": [{"name": "x", "v": 1}, {"name": "x", "v": 3}]},
        [Change("a[1].v", 2, 3)],
    ),
    "names that are no texts": ({"a": [{"name": ["x"]}]}, {"a": [{"name": ["y"]}]}, [Change("a[0].name[0]", "x", "y")]),
    "null and absent": ({"a": None}, {}, [Change("a", None, ABSENT)]),
    "a secret that differs": ({"s": "(hidden 1a)"}, {"s": "(hidden 2b)"}, [Change("s", "(hidden 1a)", "(hidden 2b)")]),
    "a secret that nobody can compare": ({"s": "(hidden 1a)"}, {"s": "(hidden)"}, []),
    "a secret and a text": ({"s": "(hidden)"}, {"s": "plain"}, [Change("s", "(hidden)", "plain")]),
}


@pytest.mark.parametrize("name", CASES)
def test_changes(name: str) -> None:
    before, after, expected = CASES[name]
    assert list(changes(before, after)) == expected


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | texts(3, "ab"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "name"]), inner, max_size=3),
    max_leaves=12,
)


@given(PLAIN, PLAIN)
def test_there_is_a_change_exactly_where_something_differs(before: Any, after: Any) -> None:
    assert not list(changes(before, before))
    found = list(changes(before, after))
    by_name = any(isinstance(each, dict) for each in _lists(before))
    if not by_name:  # two lists whose items have names are the same in any order
        assert bool(found) == (before != after)
    assert all(change.before != change.after for change in found)


def _lists(value: Any) -> list[Any]:
    """All items of all lists in `value`."""
    if isinstance(value, dict):
        return [item for inner in value.values() for item in _lists(inner)]
    return [*value, *(item for inner in value for item in _lists(inner))] if isinstance(value, list) else []


def test_objects_that_come_go_and_change() -> None:
    def key(name: str) -> ObjectKey:
        return ObjectKey("Service", "default", name)

    before = {key("same"): {"a": 1}, key("gone"): {}, key("other"): {"a": 1}}
    after = {key("same"): {"a": 1}, key("new"): {}, key("other"): {"a": 2}}
    found = list(differences(before, after))
    assert [(each.key.name, each.what) for each in found] == [
        ("gone", "removed"),
        ("new", "added"),
        ("other", "changed"),
    ]
    assert found[2].changes == (Change("a", 1, 2),)
