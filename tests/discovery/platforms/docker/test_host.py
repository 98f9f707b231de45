from __future__ import annotations

from pathlib import Path
from random import Random

from config.configset import ConfigSet
from config.settings import DockerSettings, NodeConfigSpec
from discovery.platforms.docker.engine import Connection
from discovery.platforms.docker.host import Host
from discovery.prober import Prober
from tests.discovery.objects import named, service


async def test_what_is_written_now_holds_for_what_starts_from_now_on(tmp_path: Path) -> None:
    async def drained(_replica: str, _deadline: float) -> None:
        """Nothing is sent to anybody."""

    engine = Connection(f"unix://{tmp_path}/none")
    host = Host(engine=engine, conditions={}, prober=Prober(Random(1), lambda: 0.0), drained=drained, random=Random(1))
    shop = service("shop", cluster_ip="10.96.0.7")
    node = NodeConfigSpec(node_name="one", docker=DockerSettings(network="apps"))
    host.adopt(ConfigSet(services=named(shop), node=node))
    assert (host.name, host.network) == ("one", "apps")
    variables = host.variables("default")
    assert variables["SHOP_SERVICE_HOST"] == "10.96.0.7"
    assert "PATH" not in variables
    assert host.variables("default") is variables
    host.adopt(ConfigSet(node=node))
    assert host.variables("default") == {}
    await engine.close()
