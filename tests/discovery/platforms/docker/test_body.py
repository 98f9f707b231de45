from __future__ import annotations

from typing import Any

import pytest

from config.resources.workloads import ResourceRequirements
from discovery.platforms.docker.body import body, ports_of
from tests.discovery.platforms.docker.pods import mark


def made(beside: str = "", log_driver: str = "", **container: Any) -> dict[str, Any]:
    return body(mark(**container), {"NAME": "value"}, hostname="shop", beside=beside, log_driver=log_driver)


def test_what_is_asked_for() -> None:
    assert made() == {
        "Image": "shop:1",
        "Env": ["NAME=value"],
        "Labels": mark().labels(),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {"NetworkMode": "bridge", "RestartPolicy": {"Name": "no"}},
        "Hostname": "shop",
        "ExposedPorts": {"8080/tcp": {}},
    }


COMMANDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the image's": ({}, {}),
    "arguments": ({"args": ("-v", "$(NAME)")}, {"Cmd": ["-v", "value"]}),
    "a command": ({"command": ("run", "$$(NAME)")}, {"Entrypoint": ["run", "$(NAME)"], "Cmd": []}),
    "both": ({"command": ("run",), "args": ("x",)}, {"Entrypoint": ["run"], "Cmd": ["x"]}),
    "a folder": ({"working_dir": "/srv"}, {"WorkingDir": "/srv"}),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_commands(case: str) -> None:
    given, wanted = COMMANDS[case]
    found = made(**given)
    assert {key: found[key] for key in ("Entrypoint", "Cmd", "WorkingDir") if key in found} == wanted


RESOURCES: dict[str, tuple[dict[str, str], dict[str, str], dict[str, int]]] = {
    "limits": (
        {},
        {"cpu": "250m", "memory": "1Ki"},
        {"NanoCpus": 250_000_000, "Memory": 1024, "MemorySwap": 1024, "CpuShares": 256},
    ),
    "requests": ({"cpu": "2", "memory": "1Gi"}, {}, {"CpuShares": 2048}),
    "hardly any": ({"cpu": "1m"}, {}, {"CpuShares": 2}),
    "both": ({"cpu": "500m"}, {"cpu": "1"}, {"NanoCpus": 1_000_000_000, "CpuShares": 512}),
}


@pytest.mark.parametrize("case", RESOURCES)
def test_resources(case: str) -> None:
    requests, limits, wanted = RESOURCES[case]
    found = made(resources=ResourceRequirements(requests=requests, limits=limits))["HostConfig"]
    assert {key: found[key] for key in found if key not in ("NetworkMode", "RestartPolicy")} == wanted


def test_who_shares_a_network_has_no_name_and_no_ports_of_its_own() -> None:
    found = made(beside="abc")
    assert "Hostname" not in found
    assert "ExposedPorts" not in found
    assert found["HostConfig"]["NetworkMode"] == "container:abc"


def test_ports_are_those_of_the_manifest() -> None:
    assert [(port.container_port, port.port, port.name) for port in ports_of(mark().spec)] == [(8080, 8080, "http")]


def test_logs_are_bounded_where_the_driver_does_not_do_it() -> None:
    assert made(log_driver="json-file")["HostConfig"]["LogConfig"] == {
        "Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"},
    }  # fmt: skip
    assert "LogConfig" not in made(log_driver="journald")["HostConfig"]
