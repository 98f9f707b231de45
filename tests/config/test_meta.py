from __future__ import annotations

import msgspec
import pytest

from config.meta import Named, ObjectKey, ObjectMeta, Source, matches, seniority


def test_what_prints() -> None:
    assert str(Source("a.yaml", 3, 7)) == "a.yaml:3:7"
    assert str(ObjectKey("Service", "shop", "web")) == "Service/shop/web"
    assert str(ObjectKey("Namespace", "", "shop")) == "Namespace/shop"
    assert str(Named("shop", "web")) == "shop/web"


SELECTORS = [({}, True), ({"a": "1"}, True), ({"a": "1", "b": "2"}, True), ({"a": "2"}, False), ({"c": "1"}, False)]


@pytest.mark.parametrize(("selector", "selected"), SELECTORS)
def test_a_selector_wants_every_pair(selector: dict[str, str], selected: bool) -> None:
    assert matches(selector, {"a": "1", "b": "2"}) is selected


def test_objects_cannot_be_changed() -> None:
    metadata = ObjectMeta(name="a")
    with pytest.raises(AttributeError):
        metadata.name = "b"  # type: ignore[misc]


def test_fields_are_written_as_kubernetes_writes_them() -> None:
    written = msgspec.json.encode(ObjectMeta(name="a", creation_timestamp="2024-01-01T00:00:00Z"))
    assert msgspec.json.decode(written) == {"name": "a", "creationTimestamp": "2024-01-01T00:00:00Z"}


def test_the_older_object_comes_first_and_unknown_age_last() -> None:
    objects = [
        ObjectMeta(name="b"),
        ObjectMeta(name="a"),
        ObjectMeta(name="d", creation_timestamp="2024-02-01T00:00:00Z"),
        ObjectMeta(name="c", creation_timestamp="2024-01-01T00:00:00Z"),
    ]
    assert [item.name for item in sorted(objects, key=seniority)] == ["c", "d", "a", "b"]
