"""The weft that scenarios share: what each of them breaks is its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.manifests import deployment, ingress, policy, service
from tests.scenarios.weft import Weft
from tests.scenarios.world import weft_up

LONGEST = ("autoscaling", "sidecar", "zero", "rollout", "reload", "autoscaling_nodes", "nodes", "security", "bounds")
"""Files that take longest, which begin first: none is to be left when the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files in this order."""
    order = {Path(__file__).with_name(f"test_{name}.py"): place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="package")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """While this file exists, replicas of `gated` do not start."""
    return tmp_path_factory.mktemp("gate") / "closed"


@pytest.fixture(scope="package")
def weft(tmp_path_factory: pytest.TempPathFactory, gate: Path) -> Iterator[Weft]:
    objects = [
        deployment("app", 3),
        deployment("short", 2, probed=False, TURNS="short"),
        deployment("gated", 2, probed=False, GATE=str(gate)),
        *(service(name, app=name) for name in ("app", "short", "gated")),
        service("hurried", {"http": 8080}, app="app"),
        policy("hurried", timeouts={"clientHead": "500ms"}),
        ingress("many", "*.many.example", "hurried"),
    ]
    with weft_up(tmp_path_factory.mktemp("scenarios"), *objects) as started:
        yield started
