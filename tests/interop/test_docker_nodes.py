"""Two Docker hosts whose containers have equal addresses: each reaches the other's through its agent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.engine import NEEDS_ENGINE, Engine, running_engine
from tests.interop.hosts import FAR, NEAR, Nodes, cable, plug_in
from tests.scenarios.manifests import service
from tests.scenarios.weft import ask, wait_for

pytestmark = NEEDS_ENGINE

NAMES = {"near": "far", "far": "near"}


@pytest.fixture
def hosts(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Engine]]:
    with running_engine(tmp_path_factory.mktemp("far")) as far, cable(engine):
        plug_in(engine, far)
        yield {"near": engine, "far": far}
        engine.clear()


def test_containers_with_equal_addresses_are_reached_each_through_its_own_host(
    hosts: dict[str, Engine], tmp_path: Path
) -> None:
    made = {name: engine.run("--label", f"weft.dev/service={name}") for name, engine in hosts.items()}
    addresses = {hosts[name].address(container) for name, container in made.items()}
    assert len(addresses) == 1, "they are equal"
    services = [service(name, {"http": 8080}) for name in hosts]
    with ExitStack() as processes:
        nodes = Nodes(tmp_path, hosts["near"], hosts["far"], processes, *services, platform="docker")
        for here, other in NAMES.items():
            weft = nodes.wefts[here]
            with hosts[here].inside():
                wait_for(lambda weft=weft: len(weft.admin("/api/v1/endpoints").json["endpoints"]) == 2, nodes.told)
                for name in (here, other):
                    wait_for(lambda weft=weft, name=name: answering(weft.address(name)), nodes.told)
                    assert answering(weft.address(name)) == made[name][:12], nodes.told()
                at = {each["service"]: each["address"] for each in weft.admin("/api/v1/endpoints").json["endpoints"]}
            assert {at[here]} == addresses
            assert at[other] == {"near": NEAR, "far": FAR}[other]


def answering(address: str) -> str:
    """Which container does; empty: none."""
    try:
        return str(ask(address).json["replica"])
    except (OSError, ValueError):
        return ""
