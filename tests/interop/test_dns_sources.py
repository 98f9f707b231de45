"""The examples of other people's DNS, on zones as theirs look, served by a real BIND."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.interop.programs import free_ports, named, needs, run
from tests.policy.source import ROOT
from tests.scenarios.weft import Weft, wait_for
from tests.scenarios.world import ready, weft_up

EXAMPLES = ROOT / "examples" / "dns"
HEAD = "$TTL {ttl}\n@ SOA ns.invalid. hostmaster.invalid. 1 60 60 60 1\n@ NS ns.invalid.\n"
ZONES: dict[str, tuple[int, str]] = {
    "consul": (0, "web.service SRV 1 1 8001 7f000015.addr.dc1\nweb.service SRV 1 1 8002 7f000016.addr.dc1\n"
                  "7f000015.addr.dc1 A 127.0.0.21\n7f000016.addr.dc1 A 127.0.0.22\n"),
    "mesos": (60, "_web._tcp.marathon SRV 0 0 31001 web-x1-s1.marathon.slave\n"
                  "_web._tcp.marathon SRV 0 0 31007 web-x2-s2.marathon.slave\n"
                  "web-x1-s1.marathon.slave A 127.0.0.31\nweb-x2-s2.marathon.slave A 127.0.0.32\n"),
    "shop.local": (10, "".join(f"web A 127.0.1.{number}\n" for number in range(1, 9)) +
                   "api SRV 1 1 32768 i-1.api\ni-1.api A 127.0.1.21\n"),
    "web": (600, "tasks A 127.0.2.1\ntasks A 127.0.2.2\n@ A 127.0.2.100\n"),
    "cluster.local": (5, "_pg._tcp.db.data.svc SRV 0 50 15432 db-0.db.data.svc\n"
                         "_pg._tcp.db.data.svc SRV 0 50 15432 127-0-3-2.db.data.svc\n"
                         "db-0.db.data.svc A 127.0.3.1\n127-0-3-2.db.data.svc A 127.0.3.2\n"),
    "shop.example.com": (30, "_http._tcp SRV 1 3 8001 a\n_http._tcp SRV 1 1 8002 a\n_http._tcp SRV 1 0 8003 a\n"
                             "_http._tcp SRV 2 1 8004 b\na A 127.0.4.1\nb A 127.0.4.2\n"),
}  # fmt: skip
FOUND = {
    "from-consul": ["127.0.0.21:8001", "127.0.0.22:8002"],
    "from-mesos": ["127.0.0.31:31001", "127.0.0.32:31007"],
    "from-cloud-map": [f"127.0.1.{number}:8080" for number in range(1, 9)],
    "from-cloud-map-srv": ["127.0.1.21:32768"],
    "from-docker": ["127.0.2.1:8080", "127.0.2.2:8080"],
    "from-kubernetes": ["127.0.3.1:15432", "127.0.3.2:15432"],
    "from-srv": ["127.0.4.1:8001", "127.0.4.1:8002", "127.0.4.1:8003", "127.0.4.2:8004"],
}

pytestmark = [needs("named"), needs("nsupdate")]


def written(port: int) -> list[dict[str, Any]]:
    """The examples, asking the server of the tests."""
    objects = [each for path in sorted(EXAMPLES.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    for each in objects:
        each["metadata"]["annotations"]["weft.dev/dns-servers"] = f"127.0.0.1:{port}"
    return objects


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Weft, int]]:
    folder: Path = tmp_path_factory.mktemp("sources")
    [port] = free_ports(1)
    zones = {zone: HEAD.format(ttl=ttl) + text for zone, (ttl, text) in ZONES.items()}
    with named(folder / "bind", port, zones), weft_up(folder, *written(port)) as weft:
        yield weft, port


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found(name: str, behind: tuple[Weft, int]) -> None:
    port = "pg" if name == "from-kubernetes" else "http"

    def found() -> list[str]:
        return ready(behind[0], name, port)

    wait_for(lambda: sorted(found()) == FOUND[name], lambda: str(found()))


def test_every_example_is_tried() -> None:
    assert {each["metadata"]["name"] for each in written(0)} == set(FOUND)


def test_tiers_and_weights(behind: tuple[Weft, int]) -> None:
    """Priorities are tiers; the weight of 0 beside others is one of its own, after theirs."""
    weft = behind[0]
    wait_for(lambda: len(ready(weft, "from-srv")) == 4)
    endpoints = weft.admin("/api/v1/endpoints").json["endpoints"]
    said = {each["port"]: (each["tier"], each["weight"]) for each in endpoints if each["service"] == "from-srv"}
    assert said == {8001: (0, 3), 8002: (0, 1), 8003: (1, 1), 8004: (2, 1)}


def test_samples_add_up(behind: tuple[Weft, int]) -> None:
    """Eight of many: those of earlier answers stay beside the new ones."""
    weft, port = behind
    wait_for(lambda: len(ready(weft, "from-cloud-map")) == 8)
    lines = [f"server 127.0.0.1 {port}", "update delete web.shop.local. A"]
    lines += [f"update add web.shop.local. 1 A 127.0.1.{number}" for number in range(5, 13)]
    run("nsupdate", stdin="\n".join([*lines, "send", ""]).encode())
    wait_for(lambda: len(ready(weft, "from-cloud-map")) == 12, seconds=15)
