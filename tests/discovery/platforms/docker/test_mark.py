from __future__ import annotations

import pytest

from discovery.endpoint import WorkloadRef
from discovery.platforms.docker.mark import Mark, mark_of
from tests.discovery.platforms.docker.pods import mark


def test_a_mark_is_read_as_it_was_written() -> None:
    made = mark()
    assert mark_of(made.labels()) == made
    assert made.name == "weft_default_shop-abc-12345_main"
    assert made.spec.image == "shop:1"
    assert made.workload == WorkloadRef("Deployment", "default", "shop")


SPOILED: dict[str, dict[str, str | None]] = {
    "nothing of weft's": {"weft.dev/workload": None},
    "no namespace": {"weft.dev/workload": "shop"},
    "no replica": {"weft.dev/replica": None},
    "no template": {"weft.dev/template": "{"},
    "another template": {"weft.dev/template": '{"spec": {"containers": 1}}'},
    "a container that is not in it": {"weft.dev/container": "other"},
    "no state folder": {"weft.dev/state": None},
    "no time": {"weft.dev/created": "today"},
}


@pytest.mark.parametrize("case", SPOILED)
def test_labels_that_are_none(case: str) -> None:
    labels = {key: value for key, value in {**mark().labels(), **SPOILED[case]}.items() if value is not None}
    assert mark_of(labels) is None


def test_two_containers_of_one_replica_have_names_of_their_own() -> None:
    one, two = mark(), mark(container="side")
    assert isinstance(two, Mark)
    assert one.name != two.name
