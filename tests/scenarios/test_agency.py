"""A sidecar that knows its node's agent alone: what it uses, it learns there, with the registry or without."""

from __future__ import annotations

from pathlib import Path

from tests.mesh.relaying import closed_port
from tests.scenarios.editing import Folder, ports
from tests.scenarios.test_nodes import APP, LEASE, Mesh, followed, mesh, wait_endpoints
from tests.scenarios.test_sidecar import HEADLESS, NOBODY, OTHER, sidecar, words
from tests.scenarios.weft import Weft, ask, running, wait_for
from tests.scenarios.world import endpoints, ready


def test_a_sidecar_follows_its_nodes_agent_also_when_the_registry_is_gone(tmp_path: Path) -> None:
    with mesh(tmp_path) as world:
        registry = world.registry()
        _, agent = world.node("agent", OTHER)
        world.wait()
        with sidecar(world, "second"), sidecar(world, "other", of="other"), beside(world, agent, "first") as first:
            wait_for(lambda: len(ready(first, "app")) == 2, first.told)
            wait_for(lambda: followed(first)["serial"] == followed(agent)["serial"], first.told)
            assert followed(first)["registry"] == agent.network.dns
            assert endpoints(first, "other") == []
            with sidecar(world, "third"):
                wait_for(lambda: len(ready(first, "app")) == 3, first.told)
            wait_for(lambda: len(ready(first, "app")) == 2, first.told)
            page = first.admin("/metrics").body.decode()
            assert int(page.partition("weft_propagation_seconds_count ")[2].split()[0]) > 0, "the agent told it"
            wait_endpoints(agent, 2)
            registry.process.kill()
            registry.process.wait()
            wait_for(lambda: followed(agent)["failure"], agent.told)
            assert len(ready(first, "app")) == 2
            assert ask(ports(first, "other")["http"]).json["replica"] == "other", "learned from the agent's copy"
            assert followed(first)["failure"] == ""


def test_a_sidecar_returns_to_its_nodes_agent(tmp_path: Path) -> None:
    with mesh(tmp_path) as world:
        registry = world.registry()
        folder, agent = world.node("agent")
        _, seen = world.node("seen")
        world.wait()
        both = agent.network.dns, registry.network.dns
        with beside(world, agent, "first", *both, lease="20s") as first:
            wait_endpoints(seen, 1)

            def follows(server: str) -> bool:
                assert len(ready(seen, "app")) == len(ready(first, "app")) == 1, "it stays registered and served"
                assert ask(ports(seen, "app")["http"]).json["replica"] == "first"
                return followed(first)["registry"] == server and not followed(first)["failure"]

            wait_for(lambda: follows(both[0]), first.told)
            for _ in range(2):
                agent.process.kill()
                agent.process.wait()
                wait_for(lambda: follows(both[1]), first.told)
                agent = world.start(folder, "node")
                world.wait()
                wait_for(lambda: follows(both[0]), first.told)
            with sidecar(world, "second"):
                wait_for(lambda: len(ready(first, "app")) == 2, first.told)


def beside(world: Mesh, agent: Weft, name: str, *servers: str, lease: str = LEASE):  # type: ignore[no-untyped-def]
    registry = {"servers": servers or [agent.network.dns], "lease": lease}
    folder = Folder(world.folder / name, nodeName=name, registry=registry)
    folder.put("app", APP, OTHER, NOBODY, HEADLESS)
    return running(folder.path, folder.network, *words(name, closed_port()), role="sidecar", fresh=False)
